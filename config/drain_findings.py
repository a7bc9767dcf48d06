"""Warning about requests that are cut off when Google upgrades a node or maintains its host."""

from config.settings import Settings
from config.spot_findings import pod_stop_seconds
from config.targets import GkeTarget
from serving.engine.layers import Layers
from serving.messages.finding import Finding
from serving.startup.timeouts import TEARDOWN, pre_stop_seconds

MOST_GRACE_SECONDS = 3600
"""Seconds that Google lets a pod end when it upgrades its node or maintains its host, whatever the pod's own
grace period is (https://cloud.google.com/kubernetes-engine/docs/concepts/handle-disruption-gpu-tpu, read in
2026-11)."""


def drain_findings(settings: Settings) -> tuple[Finding, ...]:
    """Returns a warning if the end of a pod may take longer than Google waits for it."""
    if not isinstance(settings.target, GkeTarget):
        return ()
    longest, leave = settings.longest_request_seconds, pre_stop_seconds(pod_stop_seconds(settings))
    most = MOST_GRACE_SECONDS - leave - TEARDOWN
    if longest <= most:
        return ()
    # A recorded release decides it.
    changes = ({"longest_request_seconds": most},) if settings.promotion is None else ()
    keep = "keep it if clients may repeat a request"
    return (
        Finding(
            severity="warning",
            code="maintenance-cuts-requests",
            field="longest_request_seconds",
            asked=f"longest_request_seconds is {longest:,}",
            truth=f"a pod may take {leave + longest + TEARDOWN:,} s to end ({leave} s to leave the "
            f"endpoints, {longest:,} s for requests in flight and {TEARDOWN} s to free the chips), and "
            f"Google ends it after {MOST_GRACE_SECONDS:,} s when it upgrades the node or maintains its host",
            change=Layers().advice(changes, keep),
            changes=changes,
            otherwise=keep,
        ),
    )
