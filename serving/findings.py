"""What is wrong, risky or surprising about an engine on a slice, before anything is paid for."""

from serving import (
    findings_memory,
    findings_multimodal,
    findings_programs,
    findings_serving,
    findings_switches,
)
from serving.accelerators import Accelerator
from serving.engine import EngineConfig
from serving.finding import SEVERITIES, Finding, Subject
from serving.models import ModelSpec

__all__ = ["Finding", "findings"]

_MODULES = (findings_serving, findings_multimodal, findings_programs, findings_memory, findings_switches)


def findings(accelerator: Accelerator, model: ModelSpec, engine: EngineConfig) -> tuple[Finding, ...]:
    """Every finding, errors first. Never raises for an engine that EngineConfig accepts."""
    subject = Subject(accelerator, model, engine)
    found = [finding for module in _MODULES for rule in module.RULES for finding in rule(subject)]
    return tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity)))
