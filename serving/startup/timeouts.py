"""Every time-out, probe budget and deadline of one workload, from two numbers.

The first is the cold-start estimate with its budgets, the second the longest request that must be allowed
to finish. Everything is in seconds.
"""

import math
from dataclasses import dataclass

from serving.startup.cold_start import ColdStart

DEFAULT_LONGEST_REQUEST_SECONDS = 300

STARTUP_PERIOD = 10

# kube-proxies and load balancers learn of a removed endpoint within seconds; until then they still send
# requests, so the server keeps answering for this long after the pod is told to go.
PRE_STOP = 15

# After its last request the engine still frees the chips; killed before that, it leaves them held.
TEARDOWN = 30

# /health answers 503 only when the engine is dead, and the API server shares its processor with
# tokenising and image decoding: a minute of silence is a dead server, a few seconds are not.
LIVENESS_PERIOD = 10
LIVENESS_FAILURES = 6
READINESS_PERIOD = 5
READINESS_FAILURES = 2
PROBE_TIMEOUT = 5

ROUTE = 30
"""A load balancer lets a request take this much longer: connecting, and the last bytes."""

# 0 to 3600: https://cloud.google.com/load-balancing/docs/enabling-connection-draining
MOST_DRAINING = 3600


@dataclass(frozen=True)
class Lifecycle:
    """The numbers, in the order in which a pod meets them. All seconds, except failure thresholds.

    `engine_ready_timeout_seconds` is VLLM_ENGINE_READY_TIMEOUT_S, `shutdown_timeout_seconds` is vLLM's
    --shutdown-timeout.
    """

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

    @property
    def route_seconds(self) -> int:
        """The longest request, for a load balancer."""
        return self.shutdown_timeout_seconds + ROUTE

    @property
    def route_drain_seconds(self) -> int:
        """How long a load balancer lets a server that leaves finish; Google allows an hour."""
        return min(self.drain_seconds, MOST_DRAINING)


def lifecycle(cold_start: ColdStart, longest_request_seconds: int, node_wait_seconds: int = 0) -> Lifecycle:
    """Derive everything. Raises ValueError when the longest request is not positive.

    `node_wait_seconds` is for capacity that comes only when Google has some: a rollout waits as long.

    The chain at the end of a pod's life: the pre-stop sleep lets endpoints forget it, SIGTERM makes vLLM
    drain for --shutdown-timeout (vllm/v1/engine/core.py, `_handle_shutdown`: its default of 0 aborts
    running requests), and the grace period, counted from the beginning, outlasts both and the teardown.
    """
    if longest_request_seconds <= 0:
        raise ValueError(
            f"the longest request is {longest_request_seconds} seconds; it must be above 0; give the time "
            f"that your longest answer takes."
        )
    failures = math.ceil(cold_start.startup_budget_seconds / STARTUP_PERIOD)
    drain = PRE_STOP + longest_request_seconds
    grace = drain + TEARDOWN
    # The startup probe counts from the container's start, the rollout from its request for a node.
    progress = max(cold_start.budget_seconds, failures * STARTUP_PERIOD) + STARTUP_PERIOD + node_wait_seconds
    return Lifecycle(
        startup_period_seconds=STARTUP_PERIOD,
        startup_failure_threshold=failures,
        liveness_period_seconds=LIVENESS_PERIOD,
        liveness_failure_threshold=LIVENESS_FAILURES,
        readiness_period_seconds=READINESS_PERIOD,
        readiness_failure_threshold=READINESS_FAILURES,
        probe_timeout_seconds=PROBE_TIMEOUT,
        engine_ready_timeout_seconds=failures * STARTUP_PERIOD,
        pre_stop_seconds=PRE_STOP,
        shutdown_timeout_seconds=longest_request_seconds,
        drain_seconds=drain,
        termination_grace_seconds=grace,
        progress_deadline_seconds=progress,
        # Pulumi must outlast the Deployment's own verdict, or it reports a time-out instead of the
        # reason; a replacement also waits for the old pod to drain.
        pulumi_timeout_seconds=progress + grace,
    )
