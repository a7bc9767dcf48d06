"""Timeouts, probe budgets and deadlines of one workload, derived from three numbers.

They are the cold-start estimate with its budgets, the longest request that must be able to finish, and the
time of the acceptance. Everything is in seconds.
"""

import math
from dataclasses import dataclass

from serving.startup.cold_start import ColdStart

ACCEPTANCE = 300
"""Assumed: seconds that the checks of an acceptance take at most. They send a few hundred short requests and
the prompts of the operator."""

DEFAULT_LONGEST_REQUEST_SECONDS = 300

STARTUP_PERIOD = 10

# kube-proxies and load balancers notice a removed endpoint within seconds. Until then they send requests, so
# the server still answers for this long after the pod's deletion begins.
PRE_STOP = 15

# Assumed: where Google ends the pod seconds after its notice, a third of them is for leaving the endpoints
# and the rest for requests in flight. A request that arrives too late can be sent again, but an answer that
# is cut off is lost.
SHORT_STOP_SHARE = 3

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


def pre_stop_seconds(stop_seconds: int | None) -> int:
    """Returns the seconds that a pod still answers after its deletion has begun.

    `stop_seconds` is the time from Google's notice to the end of the pod on nodes that Google takes back, and
    None on all others.
    """
    return PRE_STOP if stop_seconds is None else min(PRE_STOP, stop_seconds // SHORT_STOP_SHARE)


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
    acceptance_seconds: int
    progress_deadline_seconds: int
    """Seconds from one server's start to its traffic. A rollout that makes no progress for longer has
    failed."""

    def rollout_seconds(self, servers: int) -> int:
        """Returns the seconds that Pulumi waits for a rollout of `servers`, one after another.

        Pulumi must wait longer than the Deployment's deadline, or it reports a timeout instead of the reason.
        """
        return servers * (self.progress_deadline_seconds + self.termination_grace_seconds)

    @property
    def route_seconds(self) -> int:
        """Seconds of the longest request for a load balancer."""
        return self.shutdown_timeout_seconds + ROUTE

    @property
    def route_drain_seconds(self) -> int:
        """Seconds that a load balancer lets a removed server finish requests; Google allows an hour."""
        return min(self.drain_seconds, MOST_DRAINING)


def lifecycle(
    cold_start: ColdStart,
    longest_request_seconds: int,
    node_wait_seconds: int = 0,
    ready_timeout_seconds: int | None = None,
    stop_seconds: int | None = None,
) -> Lifecycle:
    """Returns the timeouts. Raises ValueError when the longest request is not positive.

    `node_wait_seconds` is the time that a rollout waits for flex-start or ComputeClass capacity.
    `ready_timeout_seconds` is the engine's ready timeout in the environment of a recorded release; unset, it
    is the container's part of the cold start. `stop_seconds` is that of `pre_stop_seconds`.

    The end of a pod: during the pre-stop sleep it is removed from the endpoints. SIGTERM makes vLLM drain for
    --shutdown-timeout (vllm/v1/engine/core.py, `_handle_shutdown`: its default of 0 aborts running requests).
    The grace period, counted from the beginning, is longer than both and the teardown together. A node that
    Google takes back has less time: the kubelet then ends the drain. The drain itself does not depend on the
    capacity, because it is a part of the release, which other capacity must be able to run.
    """
    if longest_request_seconds <= 0:
        raise ValueError(
            f"the longest request is {longest_request_seconds} seconds; it must be above 0; set the time "
            f"that your longest answer takes."
        )
    startup = cold_start.startup_budget_seconds if ready_timeout_seconds is None else ready_timeout_seconds
    failures = math.ceil(startup / STARTUP_PERIOD)
    pre_stop = pre_stop_seconds(stop_seconds)
    drain = pre_stop + longest_request_seconds
    grace = drain + TEARDOWN
    # The startup probe counts from the container's start, the rollout from its request for a node, and that
    # waits until an old server has drained and freed its slice.
    boot = max(cold_start.budget_seconds, failures * STARTUP_PERIOD)
    progress = boot + STARTUP_PERIOD + ACCEPTANCE + grace + node_wait_seconds
    return Lifecycle(
        startup_period_seconds=STARTUP_PERIOD,
        startup_failure_threshold=failures,
        liveness_period_seconds=LIVENESS_PERIOD,
        liveness_failure_threshold=LIVENESS_FAILURES,
        readiness_period_seconds=READINESS_PERIOD,
        readiness_failure_threshold=READINESS_FAILURES,
        probe_timeout_seconds=PROBE_TIMEOUT,
        engine_ready_timeout_seconds=failures * STARTUP_PERIOD,
        pre_stop_seconds=pre_stop,
        shutdown_timeout_seconds=longest_request_seconds,
        drain_seconds=drain,
        termination_grace_seconds=grace,
        acceptance_seconds=ACCEPTANCE,
        progress_deadline_seconds=progress,
    )
