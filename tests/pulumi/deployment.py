"""The project itself, with its own stack files, deployed by the real CLI to the fake Google Cloud."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from tests import warm_python
from tests.inventory.recorder import deployable, stack_config
from tests.pulumi.program import Program
from tools import toolchain
from tools.fake_gcp.cloud import gke
from tools.fake_gcp.install import install, install_auth
from tools.fake_gcp.kubernetes.control_plane import ControlPlane
from tools.support import paths
from tools.toolchain.programs import PROVIDER

PACK = paths.REPOSITORY / "policies"
DIGEST = re.compile(r"-[0-9a-f]{8}$")
LINKED = (
    "Pulumi.yaml",
    "__main__.py",
    "agent",
    "components",
    "config",
    "local",
    "serving",
    "stacks",
)


@dataclass
class Deployment(Program):
    """Folder with this checkout's program; stacks are created from their files, and `stack` is in use."""

    config: dict[str, Any] = field(default_factory=lambda: {"project": "inventory-project"})
    stack: str = "dev"

    def __post_init__(self) -> None:
        for name in ("program", "backend", "google"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        install(self.folder / "home")
        for name in LINKED:
            (self.folder / "program" / name).symlink_to(paths.REPOSITORY / name)
        (self.folder / "program" / ".venv").symlink_to(warm_python.environment())

    def connect(self, plane: ControlPlane) -> None:
        """Make this control plane the GKE clusters; the CLI can log in to it and trusts it."""
        built = paths.pulumi_home() / "plugins" / f"resource-kubernetes-v{PROVIDER.version}"
        if built.exists():
            # Use a real folder with a link in it: the CLI skips folders that are links themselves.
            plugin = self.folder / "home" / "plugins" / built.name / "pulumi-resource-kubernetes"
            plugin.parent.mkdir(parents=True)
            plugin.symlink_to(built / plugin.name)
        tools = install_auth(self.folder / "tools")
        way = toolchain.pulumi_environment().get("PATH", os.environ["PATH"])
        self.variables |= {
            gke.VARIABLE: str(plane.kubeconfig),
            # At Google, every system trusts the certificate of this name.
            "SSL_CERT_FILE": str(plane.folder / "ca.crt"),
            "PATH": os.pathsep.join((str(tools), way)),
        }

    def add(self, stack: str, changes: Mapping[str, Any]) -> None:
        """Create a stack from its file, with changes of single keys, and use it."""
        self.stack = stack
        self.good("stack", "init", stack)
        self.change(changes)

    def change(self, changes: Mapping[str, Any]) -> None:
        """Rewrite the stack's file: as in the repository, with these keys changed; None removes a key.

        `target.zone` names a key inside the group `target`.
        """
        file = self.folder / "program" / f"Pulumi.{self.stack}.yaml"
        document = yaml.safe_load(file.read_text("utf-8")) if file.exists() else {}
        config = self.configuration(changes)
        file.write_text(yaml.safe_dump({**(document or {}), "config": config}), "utf-8")

    def configuration(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the configuration of the stack in use: as in the repository, with changes of single
        keys."""
        config: dict[str, Any] = {
            key: yaml.safe_load(value) for key, value in deployable(stack_config(self.stack)).items()
        }
        for key, value in changes.items():
            *way, last = key.split(".")
            group = config
            for depth, name in enumerate(way):
                group = group.setdefault(name if depth else f"tpuserve:{name}", {})
            group[last if way else f"tpuserve:{last}"] = value
        return {key: value for key, value in config.items() if value is not None}

    def steps(self) -> dict[str, str]:
        """Returns the steps of a preview; see `steps`."""
        return steps(self.planned())

    def planned(self) -> list[dict[str, Any]]:
        """Returns what a preview would do with each resource that changes, components left out, in order."""
        shown = self.good("preview", "--json", "--show-replacement-steps")
        # The provider's greeting precedes the document.
        found: list[dict[str, Any]] = json.loads(shown[shown.index("{") :])["steps"]
        return [
            step
            for step in found
            if step["op"] != "same"
            and not step["urn"].split("::")[2].split("$")[-1].startswith(("tpuserve:", "pulumi:"))
        ]

    def use(self, stack: str) -> None:
        """Continue with another stack that was created before."""
        self.stack = stack
        self.good("stack", "select", stack)


def steps(planned: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Returns resource name -> what a preview would do with it.

    A replacement deletes the old resource before it creates the new one, unless it says "new first". Digests
    at the end of names are left out: "create, delete" is another resource in place of the old one.
    """
    found: dict[str, list[str]] = {}
    for step in planned:
        found.setdefault(DIGEST.sub("", _name(step)), []).append(step["op"])
    return {name: _step(ops) for name, ops in found.items()}


def in_the_way(planned: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns the resources that are replaced, new first, under a physical name that the program chose.

    When the `up` fails after that, the next one has the old resource still to delete. If it goes back to the
    old values, it creates a resource of the same name, and then deletes it.
    """
    replaced = {name for name, ops in steps(planned).items() if ops == "replace, new first"}
    created = [step for step in planned if "newState" in step and DIGEST.sub("", _name(step)) in replaced]
    inputs = {_name(step): step["newState"]["inputs"] for step in created}
    return [name for name, each in inputs.items() if "name" in {**each, **each.get("metadata", {})}]


def _name(step: Mapping[str, Any]) -> str:
    return step["urn"].split("::")[3]


def _step(ops: Sequence[str]) -> str:
    replaced = [op for op in ops if "replace" in op]
    if not replaced:
        return ", ".join(dict.fromkeys(ops))
    return "replace" if replaced[0] == "delete-replaced" else "replace, new first"
