"""Every time-out, probe budget and deadline of one workload, from two numbers.

The first is the cold-start estimate (from the start of the container to the first answer), the second the
longest request that must be allowed to finish. Everything is in seconds.
"""

import math
from dataclasses import dataclass

from serving.engine import EngineConfig

# A cold start's estimate is uncertain by about its own size (serving/coldstart.py), so the budget is twice.
STARTUP_MARGIN = 2
STARTUP_PERIOD = 10

# Before the container starts, the pod may wait for a node and pull the image: half a budget on top.
ROLLOUT_MARGIN = 1.5

# kube-proxies and load balancers learn of a removed endpoint within seconds; until then they still send
# requests, so the server keeps answering for this long after the pod is told to go.
PRE_STOP = 15

# After its last request the engine still frees the chips; killing it in between leaves them held.
TEARDOWN = 30

LIVENESS_PERIOD = 10
LIVENESS_FAILURES = 6
READINESS_PERIOD = 5
READINESS_FAILURES = 2
PROBE_TIMEOUT = 5


@dataclass(frozen=True)
class Lifecycle:
    """The numbers, in the order in which a pod meets them. All seconds, except failure thresholds."""

    startup_period_seconds: int
    startup_failure_threshold: int
    liveness_period_seconds: int
    liveness_failure_threshold: int
    readiness_period_seconds: int
    readiness_failure_threshold: int
    probe_timeout_seconds: int
    engine_ready_timeout_seconds: int
    pre_stop_seconds: int
    shutdown_timeout_seconds: int
    drain_seconds: int
    termination_grace_seconds: int
    progress_deadline_seconds: int
    pulumi_timeout_seconds: int

    def apply(self, engine: EngineConfig) -> EngineConfig:
        """The engine with its own two time-outs filled in where the user left them open."""
        derived = {
            "engine_ready_timeout": self.engine_ready_timeout_seconds,
            "shutdown_timeout": self.shutdown_timeout_seconds,
        }
        return engine.model_copy(
            update={name: value for name, value in derived.items() if getattr(engine, name) is None}
        )


def lifecycle(cold_start_seconds: int, longest_request_seconds: int) -> Lifecycle:
    """Derive everything. Raises ValueError when either number is not positive.

    The chain at the end of a pod's life: the pre-stop sleep lets endpoints forget it, SIGTERM makes vLLM
    drain for --shutdown-timeout (vllm/v1/engine/core.py, `_handle_shutdown`: 0 would abort), and the grace
    period, counted from the very beginning, outlasts both and the teardown.
    """
    for name, value in (("cold start", cold_start_seconds), ("longest request", longest_request_seconds)):
        if value <= 0:
            raise ValueError(f"the {name} is {value} seconds; it must be above 0; give the real estimate.")
    failures = math.ceil(STARTUP_MARGIN * cold_start_seconds / STARTUP_PERIOD)
    budget = failures * STARTUP_PERIOD
    drain = PRE_STOP + longest_request_seconds
    grace = drain + TEARDOWN
    progress = math.ceil(ROLLOUT_MARGIN * budget)
    return Lifecycle(
        startup_period_seconds=STARTUP_PERIOD,
        startup_failure_threshold=failures,
        liveness_period_seconds=LIVENESS_PERIOD,
        liveness_failure_threshold=LIVENESS_FAILURES,
        readiness_period_seconds=READINESS_PERIOD,
        readiness_failure_threshold=READINESS_FAILURES,
        probe_timeout_seconds=PROBE_TIMEOUT,
        engine_ready_timeout_seconds=budget,
        pre_stop_seconds=PRE_STOP,
        shutdown_timeout_seconds=longest_request_seconds,
        drain_seconds=drain,
        termination_grace_seconds=grace,
        progress_deadline_seconds=progress,
        # Pulumi must outlast the Deployment's own verdict, or it reports a time-out instead of the reason;
        # a replacement also waits for the old pod to drain.
        pulumi_timeout_seconds=progress + grace,
    )
