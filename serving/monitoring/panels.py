"""Panels of the dashboard: one table, from which Grafana's and Cloud Monitoring's dashboards are made."""

from dataclasses import dataclass
from typing import Literal

from serving.monitoring.scope import Scope

Unit = Literal["servers", "requests", "requests/s", "tokens/s", "seconds", "share", "bytes", "programs"]


@dataclass(frozen=True)
class Line:
    """Query of one panel. Names in double braces in `legend` are labels."""

    query: str
    legend: str


@dataclass(frozen=True)
class Panel:
    """Chart over time. `unit` is that of its values."""

    title: str
    unit: Unit
    lines: tuple[Line, ...]


def panels(scope: Scope) -> tuple[Panel, ...]:
    """Returns the panels of the servers that `scope` selects, from what clients see down to the chips."""
    return (_servers(scope), *server_panels(scope), *_release(scope), *_chips(scope))


def server_panels(scope: Scope) -> tuple[Panel, ...]:
    """Returns the panels of the server's own port; the others need the sidecar's metrics."""
    return (*_clients(scope), *_engine(scope))


def _servers(scope: Scope) -> Panel:
    return Panel(
        "Servers",
        "servers",
        (
            Line(f"sum({scope.select('tpuserve_ready')})", "ready"),
            Line(f"sum({scope.select('tpuserve_draining')})", "draining"),
        ),
    )


def _clients(scope: Scope) -> tuple[Panel, ...]:
    answers = scope.select("http_requests_total", handler="~/v1/.*")
    refusals = scope.select("tpuserve_guard_refusals_total")
    return (
        Panel(
            "Answers by status",
            "requests/s",
            (Line(f"sum by (status) (rate({answers}[5m]))", "{{status}}"),),
        ),
        Panel(
            "Refusals by reason",
            "requests/s",
            (Line(f"sum by (reason) (rate({refusals}[5m]))", "{{reason}}"),),
        ),
        _quantiles("Time to first token", "vllm:time_to_first_token_seconds", scope),
        _quantiles("Time between tokens", "vllm:inter_token_latency_seconds", scope),
        _quantiles("Time of a whole request", "vllm:e2e_request_latency_seconds", scope),
    )


def _quantiles(title: str, histogram: str, scope: Scope) -> Panel:
    """Returns a panel of a histogram's median and 95th percentile."""
    buckets = scope.select(f"{histogram}_bucket")
    return Panel(
        title,
        "seconds",
        tuple(
            Line(f"histogram_quantile({share}, sum by (le) (rate({buckets}[5m])))", legend)
            for share, legend in ((0.5, "median"), (0.95, "95th percentile"))
        ),
    )


def _engine(scope: Scope) -> tuple[Panel, ...]:
    server = f"{{{{{scope.server}}}}}"
    hits, queries = (scope.select(f"vllm:prefix_cache_{name}_total") for name in ("hits", "queries"))
    return (
        Panel(
            "Requests in the engine",
            "requests",
            (
                Line(f"sum({scope.select('vllm:num_requests_running')})", "running"),
                Line(f"sum({scope.select('vllm:num_requests_waiting')})", "waiting"),
            ),
        ),
        Panel(
            "Tokens",
            "tokens/s",
            (
                Line(f"sum(rate({scope.select('vllm:prompt_tokens_total')}[5m]))", "prompts"),
                Line(f"sum(rate({scope.select('vllm:generation_tokens_total')}[5m]))", "answers"),
            ),
        ),
        Panel("KV cache in use", "share", (Line(scope.select("vllm:kv_cache_usage_perc"), server),)),
        Panel(
            "Preemptions",
            "requests/s",
            (Line(f"sum(rate({scope.select('vllm:num_preemptions_total')}[5m]))", "preempted"),),
        ),
        Panel(
            "Prompt tokens from the prefix cache",
            "share",
            (Line(f"sum(rate({hits}[5m])) / sum(rate({queries}[5m]))", "hits"),),
        ),
    )


def _release(scope: Scope) -> tuple[Panel, ...]:
    states = scope.select("tpuserve_acceptance")
    programs = scope.select("tpuserve_compile_cache_programs")
    return (
        Panel("Acceptance", "servers", (Line(f"sum by (state) ({states})", "{{state}}"),)),
        Panel(
            "Seconds of the last boot",
            "seconds",
            (Line(f"max by (part) ({scope.select('tpuserve_boot_seconds')})", "{{part}}"),),
        ),
        Panel("Compile cache", "programs", (Line(f"sum by (result) ({programs})", "{{result}}"),)),
        Panel(
            "Compiled after the warm-up",
            "programs",
            (
                Line(f"sum({scope.select('tpuserve_compiled_after_warm_up')})", "all"),
                Line(f"sum({scope.select('tpuserve_slow_compilations_total')})", "slow"),
            ),
        ),
    )


def _chips(scope: Scope) -> tuple[Panel, ...]:
    chip = f"{{{{{scope.server}}}}} chip {{{{chip}}}}"
    return (
        Panel("HBM in use", "bytes", (Line(scope.select("tpuserve_hbm_used_bytes"), chip),)),
        Panel("HBM free", "bytes", (Line(scope.select("tpuserve_hbm_free_bytes"), chip),)),
        Panel(
            "TensorCore duty cycle",
            "share",
            (Line(scope.select("tpuserve_tensorcore_duty_cycle_ratio"), chip),),
        ),
    )
