"""Timeouts, probe budgets and deadlines of one workload, derived from two numbers.

The first number is the cold-start estimate with its budgets, the second the longest request that must be able
to finish. Everything is in seconds.
"""

import math
from dataclasses import dataclass

from serving.startup.cold_start import ColdStart

DEFAULT_LONGEST_REQUEST_SECONDS = 300

STARTUP_PERIOD = 10

# kube-proxies and load balancers notice a removed endpoint within seconds. Until then they send requests, so
# the server still answers for this long after the pod's deletion begins.
PRE_STOP = 15

# After its last request the engine frees the chips; if it is killed before, they stay occupied.
TEARDOWN = 30

# /health answers 503 only when the engine is dead. The API server shares its processor with tokenizing and
# image decoding, so a server without an answer for a minute is dead, one without an answer for seconds is
# not.
LIVENESS_PERIOD = 10
LIVENESS_FAILURES = 6
READINESS_PERIOD = 5
READINESS_FAILURES = 2
PROBE_TIMEOUT = 5

ROUTE = 30
"""Seconds that a load balancer allows in addition to the longest request: for connecting and the last
bytes."""

# 0 to 3600: https://cloud.google.com/load-balancing/docs/enabling-connection-draining
MOST_DRAINING = 3600


@dataclass(frozen=True)
class Lifecycle:
    """Timeouts in the order in which a pod meets them. All in seconds, except failure thresholds.

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
        """Seconds of the longest request for a load balancer."""
        return self.shutdown_timeout_seconds + ROUTE

    @property
    def route_drain_seconds(self) -> int:
        """Seconds that a load balancer lets a removed server finish requests; Google allows an hour."""
        return min(self.drain_seconds, MOST_DRAINING)


def lifecycle(cold_start: ColdStart, longest_request_seconds: int, node_wait_seconds: int = 0) -> Lifecycle:
    """Returns the timeouts. Raises ValueError when the longest request is not positive.

    `node_wait_seconds` is the time that a rollout waits for flex-start or ComputeClass capacity.

    The end of a pod: during the pre-stop sleep it is removed from the endpoints. SIGTERM makes vLLM drain for
    --shutdown-timeout (vllm/v1/engine/core.py, `_handle_shutdown`: its default of 0 aborts running requests).
    The grace period, counted from the beginning, is longer than both and the teardown together.
    """
    if longest_request_seconds <= 0:
        raise ValueError(
            f"the longest request is {longest_request_seconds} seconds; it must be above 0; set the time "
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
        # Pulumi must wait longer than the Deployment's deadline, or it reports a timeout instead of the
        # reason. A replacement also waits for the old pod to drain.
        pulumi_timeout_seconds=progress + grace,
    )
