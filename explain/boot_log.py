"""Reader of the log of a vLLM boot on TPU.

It knows the lines of vllm-tpu 0.26 to 0.32. It reads the buckets from the compiled programs, not from the
"Prepared token paddings" lines: these have the sizes before they are cut at the token budget, and appear
again for the logits.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

# 0.26 prints whole arrays after the sizes of a whole model, over several lines.
_PRECOMPILE = re.compile(r"Precompile (?P<kind>.+?) --> (?P<signature>\{.*)$")
_SIZE = re.compile(r"'(\w+)': (\d+)[,}]")
_COMPILED = re.compile(r"Compilation of (?P<kind>.+?) --> .* finished in (?P<seconds>[\d.]+) \[secs\]")
_WARM_UP = re.compile(r"Warm-up call pass finished in ([\d.]+) \[secs\]")
_VERSION = re.compile(r"version (\d+\.\d+\.\d+\S*)\s*$")
_INIT_MODEL = re.compile(r"Init model \| hbm=\[\(([\d.]+), ([\d.]+)\)")
_MEMORY = re.compile(
    r"total_hbm_limit_gb=([\d.]+)GiB .* total_hbm_used_gb=([\d.]+)GiB .* total_hbm_avail_gb=([\d.]+)GiB"
)
_KV_TOKENS = re.compile(r"KV cache size: ([\d,]+) tokens")
_CONCURRENCY = re.compile(r"Maximum concurrency for ([\d,]+) tokens per request: ([\d.]+)x")
_KV_SHAPE = re.compile(r"num_blocks=\[(\d+)[^]]*\] .*regular_attn_shape=\(num_blocks, \((\d+),")
_WEIGHTS = re.compile(r"Loading weights took ([\d.]+) seconds")
_ENGINE = re.compile(r"init engine \(.*?\) took ([\d.]+) s \(compilation: ([\d.]+) s\)")
_STAMP = re.compile(r"\b(\d{2}-\d{2} \d{2}:\d{2}:\d{2}) \[")
_WORKER = re.compile(r"\bworker\d+ ")
_PREFIX = re.compile(r"^(?:\(\w+ pid=\d+\) )?(?:ERROR [\d-]+ [\d:]+ \[\S+\] )?")
_FAILED = "EngineCore failed to start"
_EXCEPTION = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception|Interrupt|Exit)\b")


@dataclass(frozen=True)
class BootLog:
    """Values of one log; None for a value that it does not have. Sizes in GiB as logged, times in seconds.

    `programs` counts the compiled programs by kind. `compile_seconds` has the logged seconds of each kind; a
    whole-model program is compiled in the warm-up, whose seconds are `warm_up_seconds`. `crash` is the
    exception with which the engine ended.
    """

    version: str | None
    tokens: tuple[int, ...]
    requests: tuple[int, ...]
    attention: tuple[int, ...]
    logits: tuple[int, ...]
    programs: Mapping[str, int]
    compile_seconds: Mapping[str, float]
    warm_up_seconds: float
    resident_gib: float | None
    limit_gib: float | None
    used_gib: float | None
    available_gib: float | None
    pages: int | None
    block_size: int | None
    kv_tokens: int | None
    max_model_len: int | None
    concurrency: float | None
    weights_seconds: float | None
    engine_seconds: float | None
    engine_compile_seconds: float | None
    ready_seconds: float | None
    ready: bool
    crash: str | None


def parse(text: str) -> BootLog:
    """Returns the values in `text`. Raises ValueError if it is no log of a vLLM boot on TPU."""
    sizes: dict[str, set[int]] = {}
    programs: Counter[str] = Counter()
    seconds: defaultdict[str, float] = defaultdict(float)
    warm_up = 0.0
    stamps: list[datetime] = []
    values: dict[str, tuple[str, ...]] = {}
    ready = False
    lines = text.splitlines()
    for line in lines:
        if stamp := _STAMP.search(line):
            # The log has no year; 2000 is a leap year, so every date exists in it.
            stamps.append(datetime.strptime(f"2000-{stamp[1]}", "%Y-%m-%d %H:%M:%S"))
        if match := _PRECOMPILE.search(line):
            kind = _kind(match["kind"])
            programs[kind] += 1
            _collect(sizes, kind, {name: int(size) for name, size in _SIZE.findall(match["signature"])})
        elif match := _COMPILED.search(line):
            seconds[_kind(match["kind"])] += float(match["seconds"])
        elif match := _WARM_UP.search(line):
            warm_up += float(match[1])
        for name, pattern in _SINGLE.items():
            if name not in values and (match := pattern.search(line)):
                values[name] = match.groups()
        if "Application startup complete" in line:
            ready = True
            break
    if not programs and "memory" not in values:
        raise ValueError(
            "The file has no line of a vLLM boot on TPU (no program, no memory statistics): pass the whole "
            "log of the server, with VLLM_LOGGING_LEVEL at INFO."
        )
    crash = None if ready else _crash(lines)
    return _boot(values, sizes, programs, seconds, warm_up, stamps, ready, crash)


def _crash(lines: Sequence[str]) -> str | None:
    """Returns the exception of the engine process with its message; None if no line says that it failed."""
    failed = next((index for index, line in enumerate(lines) if _FAILED in line), None)
    if failed is None:
        return None
    texts = [_PREFIX.sub("", line).strip() for line in lines[failed:]]
    for text, following in zip(texts, [*texts[1:], ""], strict=True):
        if _EXCEPTION.match(text):
            # JAX names the kind of the error on the first line and its numbers on the second.
            return f"{text} {following}" if text.endswith(":") else text
    return _FAILED


_SINGLE: Mapping[str, re.Pattern[str]] = {
    "version": _VERSION,
    "resident": _INIT_MODEL,
    "memory": _MEMORY,
    "tokens": _KV_TOKENS,
    "concurrency": _CONCURRENCY,
    "shape": _KV_SHAPE,
    "weights": _WEIGHTS,
    "engine": _ENGINE,
}


def _kind(text: str) -> str:
    """Returns the kind without the worker's rank."""
    return _WORKER.sub("", text)


def _collect(sizes: dict[str, set[int]], kind: str, signature: Mapping[str, int]) -> None:
    """Adds the padded sizes in a program's signature to `sizes`."""
    if kind == "backbone":
        sizes.setdefault("tokens", set()).add(signature["num_tokens"])
        sizes.setdefault("attention", set()).add(signature["num_reqs"])
    elif kind == "sample":
        sizes.setdefault("requests", set()).add(signature["num_reqs"])
    elif kind == "greedy_rejection_sampler":
        sizes.setdefault("logits", set()).add(signature["num_logits"])


def _between(first: datetime, last: datetime) -> float:
    """Returns the seconds from one line to a later one, which may be of the next year: both are read as
    2000."""
    if (first.month, last.month) == (12, 1):
        last += timedelta(days=366)
    return (last - first).total_seconds()


def _number(text: str) -> int:
    return int(text.replace(",", ""))


def _boot(
    values: Mapping[str, tuple[str, ...]],
    sizes: Mapping[str, set[int]],
    programs: Mapping[str, int],
    seconds: Mapping[str, float],
    warm_up: float,
    stamps: list[datetime],
    ready: bool,
    crash: str | None,
) -> BootLog:
    def of(name: str, index: int = 0) -> str | None:
        return values[name][index] if name in values else None

    def real(name: str, index: int = 0) -> float | None:
        text = of(name, index)
        return None if text is None else float(text)

    def whole(name: str, index: int = 0) -> int | None:
        text = of(name, index)
        return None if text is None else _number(text)

    def buckets(name: str) -> tuple[int, ...]:
        return tuple(sorted(sizes.get(name, ())))

    return BootLog(
        version=of("version"),
        tokens=buckets("tokens"),
        requests=buckets("requests"),
        attention=buckets("attention"),
        logits=buckets("logits"),
        programs=MappingProxyType(dict(programs)),
        compile_seconds=MappingProxyType(dict(seconds)),
        warm_up_seconds=warm_up,
        resident_gib=real("resident"),
        limit_gib=real("memory"),
        used_gib=real("memory", 1),
        available_gib=real("memory", 2),
        pages=whole("shape"),
        block_size=whole("shape", 1),
        kv_tokens=whole("tokens"),
        max_model_len=whole("concurrency"),
        concurrency=real("concurrency", 1),
        weights_seconds=real("weights"),
        engine_seconds=real("engine"),
        engine_compile_seconds=real("engine", 1),
        ready_seconds=_between(stamps[0], stamps[-1]) if ready and stamps else None,
        ready=ready,
        crash=crash,
    )
