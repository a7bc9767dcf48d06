"""Security contexts of every pod: no capabilities, no writable image, and root only on request."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.deploy import container_layout

if TYPE_CHECKING:
    from pulumi_kubernetes.core.v1 import PodSecurityContextArgsDict, SecurityContextArgsDict


@dataclass(frozen=True)
class PodUser:
    """User and group of a pod's containers, with what a namespace needs to admit the pod."""

    uid: int
    pod_security: str
    """Strictest level of the Pod Security Standards that allows the user
    (https://kubernetes.io/docs/concepts/security/pod-security-standards/)."""

    @property
    def context(self) -> "PodSecurityContextArgsDict":
        """The pod's security context."""
        return {
            "run_as_non_root": self.uid != 0,
            "run_as_user": self.uid,
            "run_as_group": self.uid,
            "seccomp_profile": {"type": "RuntimeDefault"},
        }


UNPRIVILEGED = PodUser(container_layout.USER, "restricted")

POD_USERS: Mapping[str, PodUser] = {"user": UNPRIVILEGED, "root": PodUser(0, "baseline")}
"""Users by the value of `target.run_as`."""

CONTAINER: "SecurityContextArgsDict" = {
    "allow_privilege_escalation": False,
    "read_only_root_filesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
