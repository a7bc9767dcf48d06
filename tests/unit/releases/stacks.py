"""A folder with the stack files of two environments, and a bucket in memory with what staging accepted."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from config import stack_file
from stacks.plan import Plan, plan
from tests import promoted

IMAGE = f"vllm/vllm-tpu:v0.32.0@sha256:{'a' * 64}"
TARGET: Mapping[str, Any] = {
    "kind": "gke",
    "project": "a-project",
    "zone": "us-east5-b",
    "capacity": {"kind": "spot"},
}
DESCRIBED: Mapping[str, Any] = {
    "target": TARGET,
    "model": "gemma-4-26b-a4b-it",
    "model_revision": "0" * 40,
    "phase": "tuned",
    "image": IMAGE,
}
NOTE = "# Written by hand.\n"


@dataclass
class Memory:
    """A bucket in memory."""

    objects: dict[str, bytes] = field(default_factory=dict)
    name: str = "a-project-tpuserve"

    def read(self, name: str) -> bytes | None:
        """Returns the content of an object."""
        return self.objects.get(name)

    def names(self, prefix: str) -> list[str]:
        """Returns the names of the objects that begin with `prefix`."""
        return sorted(name for name in self.objects if name.startswith(prefix))

    def accept(self, planned: Plan, **changes: Any) -> str:
        """Adds the objects that the sidecar of an accepted server writes. Returns the release's name."""
        record = {**promoted.accepted(planned), **changes}
        self.objects[f"releases/{planned.release.name}.json"] = json.dumps(record).encode()
        agent = json.dumps(dict(planned.agent_files)).encode()
        self.objects[f"agents/{planned.release.agent_digest}.json"] = agent
        return planned.release.name


def write(folder: Path, stack: str, **changes: Any) -> Path:
    """Writes a stack file of the described server with changes; None removes a key."""
    values = {
        f"tpuserve:{key}": value for key, value in {**DESCRIBED, **changes}.items() if value is not None
    }
    file = folder / f"Pulumi.{stack}.yaml"
    file.write_text(NOTE + yaml.safe_dump({"config": values}, sort_keys=False), "utf-8")
    return file


def planned(folder: Path, stack: str) -> Plan:
    """Returns the plan of a stack file."""
    settings = stack_file.read(stack, folder)
    assert settings.image_name is not None
    return plan(settings, settings.image_name)
