"""What is wrong, risky or surprising about an engine on a slice, before anything is paid for."""

from serving.compilation.proofs import Proof
from serving.engine.config import EngineConfig
from serving.findings import (
    compiled,
    environment,
    memory,
    multimodal,
    programs,
    scheduling,
)
from serving.hardware.accelerators import Accelerator
from serving.messages.finding import SEVERITIES, Finding, Subject
from serving.models.catalog import ModelSpec

__all__ = ["Finding", "findings"]

_MODULES = (
    scheduling,
    multimodal,
    programs,
    memory,
    compiled,
    environment,
)


def findings(
    accelerator: Accelerator, model: ModelSpec, engine: EngineConfig, proof: Proof | None = None
) -> tuple[Finding, ...]:
    """Every finding, errors first; `proof` is this engine's, whose sizes then replace the formulas'. Never
    raises for an engine that EngineConfig accepts."""
    subject = Subject(accelerator, model, engine, proof)
    found = [finding for module in _MODULES for rule in module.RULES for finding in rule(subject)]
    return tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity)))
