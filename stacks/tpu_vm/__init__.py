"""Serving stack of TPU VMs: a managed group, or one machine of the Cloud TPU API."""

from __future__ import annotations

from config.settings import Settings
from config.targets import TpuVmTarget
from stacks.tpu_vm import managed_group, single_vm


def build(settings: Settings, target: TpuVmTarget) -> None:
    """Declares the stack and its outputs. Raises ValueError for settings that could not work."""
    match target.api:
        case "compute-engine":
            managed_group.build(settings, target)
        case "cloud-tpu":
            single_vm.build(settings, target)
