"""Warning about requests that are cut off when Google takes a spot node back."""

from config.provisioning import stop_seconds
from config.settings import Settings
from config.targets import GkeTarget
from serving.engine.layers import Layers
from serving.messages.finding import Finding
from serving.startup.timeouts import pre_stop_seconds


def pod_stop_seconds(settings: Settings) -> int | None:
    """Returns the seconds from Google's notice to the end of a pod; None where Google lets a pod drain.

    A TPU VM has no pod: stacks/tpu_vm/checks.py has its times.
    """
    target = settings.target
    return stop_seconds(target.capacity) if isinstance(target, GkeTarget) else None


def spot_findings(settings: Settings) -> tuple[Finding, ...]:
    """Returns a warning if the longest request does not fit into the stop of a spot node."""
    stop, target = pod_stop_seconds(settings), settings.target
    if stop is None or not isinstance(target, GkeTarget):
        return ()
    leave, longest = pre_stop_seconds(stop), settings.longest_request_seconds
    drain = stop - leave
    if longest <= drain:
        return ()
    changes: list[dict[str, object]] = [{"target.capacity": {"kind": "on-demand"}}]
    if settings.promotion is None:  # a release decides it
        changes.append({"longest_request_seconds": drain})
    keep = "keep it if clients may repeat a request"
    return (
        Finding(
            severity="warning",
            code="spot-stop-cuts-requests",
            field="target.capacity",
            asked=f"target.capacity is {_named(target)} and a request may take {longest} s",
            truth=f"when Google takes a spot node back, its pod has {stop} s: {leave} s to leave the "
            f"endpoints and {drain} s for requests in flight, and the rest of a longer answer is lost",
            change=Layers().advice(changes, keep),
            changes=tuple(changes),
            otherwise=keep,
        ),
    )


def _named(target: GkeTarget) -> str:
    kind = target.capacity.kind
    return kind if kind == "spot" else f"{kind} with spot"
