"""Alerts of a stack's servers: one row each, with its PromQL condition and its reason.

The metrics are vLLM's (vllm 0.32, v1/metrics/loggers.py), those of its HTTP server
(prometheus-fastapi-instrumentator 8.1, metrics.py), and the agent's (agent/sidecar/metrics.py,
agent/server/metrics.py). Each alert has a section in docs/alerts.md, whose heading is the alert's name.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from serving.monitoring.scope import Scope
from serving.monitoring.thresholds import Thresholds

Severity = Literal["critical", "warning"]
"""`critical`: clients notice it now. `warning`: they will, or a limit of the plan is passed."""

RUNBOOKS = "docs/alerts.md"

OUTAGE_SECONDS = 120
"""Assumed: seconds without a ready server, or with failing answers, that are no hiccup. Four scrapes."""
LASTING_SECONDS = 600
"""Seconds that a full queue, a full KV cache or a slow first token must last."""
ERROR_SHARE = 0.05
"""Assumed: share of failed answers that is an outage and not a single bad request."""
KV_CACHE_SHARE = 0.95
"""Assumed: share of the KV cache from which the next long request is likely to preempt another one."""


@dataclass(frozen=True, kw_only=True)
class Alert:
    """A condition that holds while its PromQL expression has a result, for `for_seconds` at least."""

    name: str
    query: str
    for_seconds: int
    severity: Severity
    why: str
    """One sentence: what the condition means for clients or operators."""

    @property
    def runbook(self) -> str:
        """Returns the path and anchor of the section that says what to do."""
        return runbook(self.name)


def runbook(name: str) -> str:
    """Returns the path and anchor of an alert's section."""
    return f"{RUNBOOKS}#{name.lower()}"


def alerts(limits: Thresholds, scope: Scope) -> tuple[Alert, ...]:
    """Returns the alerts of the servers that `scope` selects."""
    return (
        *_readiness(limits, scope),
        *server_alerts(limits, scope),
        *_release(limits, scope),
        *_chips(limits, scope),
        *_key(limits, scope),
    )


def server_alerts(limits: Thresholds, scope: Scope) -> tuple[Alert, ...]:
    """Returns the alerts on the metrics of the server's own port; the others need the sidecar's."""
    return (_failures(scope), *_load(limits, scope))


def _readiness(limits: Thresholds, scope: Scope) -> Iterator[Alert]:
    # Without any series a sum is empty, and an empty result compares with nothing: so zero stands in.
    ready = f"(sum({scope.select('tpuserve_ready')}) or vector(0))"
    yield Alert(
        name="NoReadyServer",
        query=f"{ready} < 1",
        for_seconds=OUTAGE_SECONDS,
        severity="critical",
        why="No server is ready, or none reports whether it is, so every request fails.",
    )
    yield Alert(
        name="ServerNotReadyInTime",
        query=f"{ready} < {limits.servers}",
        for_seconds=limits.boot_seconds,
        severity="warning",
        why=f"For longer than a boot may take, fewer servers are ready than {limits.servers}.",
    )


def _failures(scope: Scope) -> Alert:
    answers = scope.select("http_requests_total", handler="~/v1/.*")
    failed = scope.select("http_requests_total", handler="~/v1/.*", status="5xx")
    return Alert(
        name="AnswersFail",
        query=f"sum(rate({failed}[5m])) / sum(rate({answers}[5m])) > {ERROR_SHARE}",
        for_seconds=OUTAGE_SECONDS,
        severity="critical",
        why=f"More than {ERROR_SHARE:.0%} of the answers of the last 5 minutes have a status of 500 or more.",
    )


def _load(limits: Thresholds, scope: Scope) -> Iterator[Alert]:
    by = f"by ({scope.server})"
    yield Alert(
        name="QueueTooLong",
        query=f"max {by} ({scope.select('vllm:num_requests_waiting')}) > {limits.requests_at_once}",
        for_seconds=LASTING_SECONDS,
        severity="warning",
        why=(
            f"More requests wait than the engine takes at once ({limits.requests_at_once}), so a new one "
            "waits longer than a whole generation."
        ),
    )
    yield Alert(
        name="KvCacheNearlyFull",
        query=f"max {by} ({scope.select('vllm:kv_cache_usage_perc')}) > {KV_CACHE_SHARE}",
        for_seconds=LASTING_SECONDS,
        severity="warning",
        why=f"More than {KV_CACHE_SHARE:.0%} of the KV cache is in use, so requests wait or are preempted.",
    )
    yield Alert(
        name="RequestsPreempted",
        query=f"sum {by} (increase({scope.select('vllm:num_preemptions_total')}[10m])) > 0",
        for_seconds=LASTING_SECONDS,
        severity="warning",
        why="The KV cache was too small for the running requests, so the engine computed some of them twice.",
    )
    if limits.first_token_seconds is not None:
        buckets = scope.select("vllm:time_to_first_token_seconds_bucket")
        median = f"histogram_quantile(0.5, sum by (le) (rate({buckets}[10m])))"
        yield Alert(
            name="FirstTokenSlow",
            query=f"{median} > {limits.first_token_seconds:g}",
            for_seconds=LASTING_SECONDS,
            severity="warning",
            why=(
                f"More than half of the requests wait over {limits.first_token_seconds:g} s for their first "
                "token, which is above acceptance.limits.time_to_first_token_ms."
            ),
        )


def _release(limits: Thresholds, scope: Scope) -> Iterator[Alert]:
    by = f"by ({scope.server})"
    yield Alert(
        name="AcceptanceFailed",
        query=f"max {by} ({scope.select('tpuserve_acceptance', state='rejected')}) == 1",
        for_seconds=0,
        severity="critical",
        why="A server was rejected by its acceptance, so it gets no traffic and the rollout stops.",
    )
    slow = scope.select("tpuserve_slow_compilations_total")
    yield Alert(
        name="CompiledAfterWarmUp",
        query=f"sum {by} (increase({slow}[15m])) > 0",
        for_seconds=0,
        severity="warning",
        why="Requests waited for the compiler: the warm-up has not prepared every shape.",
    )
    if limits.has_archive:
        restored = scope.select("tpuserve_compile_cache_restore", result="~none|failed")
        lacking = scope.select("tpuserve_acceptance_check", check="cache_misses", result="warning")
        yield Alert(
            name="CompileCacheMissed",
            query=f"max {by} ({restored}) == 1 or max {by} ({lacking}) == 1",
            for_seconds=0,
            severity="warning",
            why="The release's record names a compile cache, and a server compiled all the same.",
        )


def _chips(limits: Thresholds, scope: Scope) -> Iterator[Alert]:
    free = scope.select("tpuserve_hbm_free_bytes")
    yield Alert(
        name="HbmFreeBelowPlan",
        query=f"min by ({scope.server}) ({free}) < {limits.free_hbm_bytes}",
        for_seconds=LASTING_SECONDS,
        severity="warning",
        why=(
            f"A chip has less than the {limits.free_hbm_bytes / 2**30:.1f} GiB free that the plan leaves, so "
            "the next large program may not fit."
        ),
    )


def _key(limits: Thresholds, scope: Scope) -> Iterator[Alert]:
    if limits.key_days is None:
        return
    created = scope.select("tpuserve_api_key_created_timestamp_seconds")
    yield Alert(
        name="ApiKeyOld",
        query=f"max(time() - {created}) > {limits.key_days * 86400}",
        for_seconds=0,
        severity="warning",
        why=f"The API key is older than {limits.key_days} days.",
    )
