"""What is wrong, risky or surprising about an engine on a slice, before anything is paid for."""

from serving.compilation.candidate import Subject
from serving.compilation.proofs import Proof
from serving.engine.config import EngineConfig
from serving.findings import (
    api,
    compiled,
    environment,
    loading,
    memory,
    model_code,
    multimodal,
    parallelism,
    programs,
    scheduling,
)
from serving.hardware.accelerators import Accelerator
from serving.messages.finding import SEVERITIES, Finding
from serving.models.spec import ModelSpec

__all__ = ["Finding", "findings"]

_MODULES = (
    parallelism,
    scheduling,
    model_code,
    api,
    multimodal,
    loading,
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
