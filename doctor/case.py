"""Case that the checks look at: one stack, the caller's login, and what several checks ask for only once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from config.footprint import Footprint, footprint
from config.provisioning import Pool, ProvisioningFallback
from config.settings import Settings
from config.targets import FoundationTarget, GkeTarget, TpuVmTarget
from doctor.google import Google
from serving.hardware.accelerators import OFFERED

TARGETS = FoundationTarget | GkeTarget | TpuVmTarget

PREEMPTIBLE = {"SPOT", "FLEX_START"}
"""Provisioning models that Google counts under the quota of preemptible chips."""


@dataclass(frozen=True)
class Machine:
    """A machine with chips in the project. `own`: it belongs to the stack."""

    chips: int
    preemptible: bool
    own: bool


@dataclass(frozen=True, kw_only=True)
class Serving:
    """The parts of a serving stack that checks need."""

    target: GkeTarget | TpuVmTarget
    footprint: Footprint

    @property
    def options(self) -> tuple[Pool, ...]:
        """Provisioning models that the stack may use, best first."""
        capacity = self.target.capacity
        return capacity.rungs if isinstance(capacity, ProvisioningFallback) else (capacity,)

    @property
    def zones(self) -> tuple[str, ...]:
        """Zones in which the stack's machines may be."""
        others = self.target.other_zones if isinstance(self.target, TpuVmTarget) else ()
        return (self.target.zone, *others)

    @property
    def machine_type(self) -> str:
        """Machine type of a slice."""
        assert self.footprint.slice.machine_type is not None
        return self.footprint.slice.machine_type


@dataclass(frozen=True, kw_only=True)
class Case:
    """A stack with everything that its checks may ask."""

    stack: str
    settings: Settings
    target: TARGETS
    folder: Path
    """Folder of Pulumi.yaml and of the stack files."""
    today: date
    login: Google | str
    """The caller's Google, or a clause that says why there is none."""

    @property
    def google(self) -> Google:
        """Google. Only checks that the table marks with `asks_google` may read it."""
        assert isinstance(self.login, Google)
        return self.login

    @property
    def prefix(self) -> str:
        """Prefix of the physical names of the stack's resources."""
        return f"tpuserve-{self.stack}"

    @cached_property
    def serving(self) -> Serving:
        """The serving stack. Only checks of serving stacks may read it."""
        assert not isinstance(self.target, FoundationTarget)
        return Serving(target=self.target, footprint=footprint(self.settings, self.target))

    @cached_property
    def project(self) -> Mapping[str, Any]:
        """The target's project; its `name` has the number that some APIs want. Raises Absent and Refused."""
        return self.google.get("cloudresourcemanager", f"projects/{self.target.project}")

    @cached_property
    def region(self) -> Mapping[str, Any]:
        """The target's region, with its quotas. Raises Absent and Refused."""
        return self.google.get("compute", f"projects/{self.target.project}/regions/{self.target.region}")

    @cached_property
    def machines(self) -> tuple[Machine, ...]:
        """Machines with v6e chips in the target's region. Raises Absent and Refused."""
        chips = {row.machine_type: row.chips for row in OFFERED}
        found: list[Machine] = []
        for page in self.google.pages(
            "compute",
            f"projects/{self.target.project}/aggregated/instances",
            fields="items/*/instances(machineType,labels,scheduling/provisioningModel),nextPageToken",
        ):
            for scope, content in page.get("items", {}).items():
                if not scope.startswith(f"zones/{self.target.region}-"):
                    continue
                for instance in content.get("instances", []):
                    count = chips.get(instance["machineType"].rpartition("/")[2])
                    if count is not None:
                        model = instance.get("scheduling", {}).get("provisioningModel")
                        own = instance.get("labels", {}).get("stack") == self.stack
                        found.append(Machine(chips=count, preemptible=model in PREEMPTIBLE, own=own))
        return tuple(found)
