"""Series that a server has: vLLM's as its wheel declares them, and the agent's as it shows them.

vllm_series.json was read from the wheels of vllm-tpu 0.32:

    cd tests/unit/serving/monitoring
    python series.py SITE_PACKAGES > vllm_series.json
"""

import ast
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

RECORDED = Path(__file__).parent / "vllm_series.json"

SUFFIXES: Mapping[str, tuple[str, ...]] = {
    "_gauge_cls": ("",),
    "_counter_cls": ("_total",),
    "_histogram_cls": ("_bucket", "_count", "_sum"),
}
"""Names of series that prometheus-client makes of a metric, by the attribute of vLLM's logger."""

VLLM_LABELS = ("engine", "model_name")
HTTP_LABELS = ("handler", "method", "status")


def recorded() -> dict[str, list[str]]:
    """Returns the labels of vLLM's series, by the series' name."""
    return json.loads(RECORDED.read_text("utf-8"))


def declared(site_packages: Path) -> dict[str, list[str]]:
    """Returns the series that the wheels in `site_packages` declare, in the form of `recorded`."""
    loggers = ast.parse((site_packages / "vllm" / "v1" / "metrics" / "loggers.py").read_text("utf-8"))
    series = {name: labels for call in _calls(loggers) for name, labels in _series(call)}
    # The logger of the HTTP server, with which vLLM's instrumentator counts requests by default.
    http = site_packages / "prometheus_fastapi_instrumentator" / "metrics.py"
    if 'name="http_requests_total"' in http.read_text("utf-8"):
        series["http_requests_total"] = [*HTTP_LABELS]
    return dict(sorted(series.items()))


def first_token_buckets(site_packages: Path) -> tuple[float, ...]:
    """Returns the ends of the buckets of the time to the first token."""
    file = site_packages / "vllm" / "v1" / "metrics" / "buckets.py"
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "TIME_TO_FIRST_TOKEN_BUCKETS":
            assert node.value is not None
            return ast.literal_eval(node.value)
    raise AssertionError(f"{file} has no TIME_TO_FIRST_TOKEN_BUCKETS")


def _calls(tree: ast.Module) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SUFFIXES:
            yield node


def _series(call: ast.Call) -> Iterator[tuple[str, list[str]]]:
    words = {keyword.arg: keyword.value for keyword in call.keywords}
    assert isinstance(call.func, ast.Attribute)
    name = words.get("name")
    if not isinstance(name, ast.Constant):
        return
    extra = [
        str(node.value)
        for node in ast.walk(words.get("labelnames", ast.Constant(None)))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    for suffix in SUFFIXES[call.func.attr]:
        labels = {*VLLM_LABELS, *extra, *(("le",) if suffix == "_bucket" else ())}
        yield f"{name.value}{suffix}", sorted(labels)


if __name__ == "__main__":
    print(json.dumps(declared(Path(sys.argv[1])), indent=1))
