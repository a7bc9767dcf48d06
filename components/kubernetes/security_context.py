"""Security contexts of every pod: no root, no capabilities, no writable image."""

from typing import TYPE_CHECKING

from serving.deploy import container_layout

if TYPE_CHECKING:
    from pulumi_kubernetes.core.v1 import PodSecurityContextArgsDict, SecurityContextArgsDict

POD: "PodSecurityContextArgsDict" = {
    "run_as_non_root": True,
    "run_as_user": container_layout.USER,
    "run_as_group": container_layout.USER,
    "seccomp_profile": {"type": "RuntimeDefault"},
}

CONTAINER: "SecurityContextArgsDict" = {
    "allow_privilege_escalation": False,
    "read_only_root_filesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
