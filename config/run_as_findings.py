"""Warning about a server that runs as root."""

from config.settings import Settings
from config.targets import GkeTarget, LocalTarget
from serving.engine.layers import Layers
from serving.messages.finding import Finding


def run_as_findings(settings: Settings) -> tuple[Finding, ...]:
    """Returns a warning for a pod that runs as root. On a TPU VM the container always does."""
    target = settings.target
    if not isinstance(target, GkeTarget | LocalTarget) or target.run_as == "user":
        return ()
    changes = ({"target.run_as": "user"},)
    keep = "keep it if the server's log ends with `/dev/vfio/…: Permission denied` without it"
    return (
        Finding(
            severity="warning",
            code="server-runs-as-root",
            field="target.run_as",
            asked="target.run_as is root",
            truth="server, sidecar and load test run as user 0 without capabilities, so an attacker who "
            "leaves a container is root on the node, and the namespace admits every pod of the Pod Security "
            "level baseline, also one as root, instead of restricted",
            change=Layers().advice(changes, keep),
            changes=changes,
            otherwise=keep,
        ),
    )
