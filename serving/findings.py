"""What is wrong, risky or surprising about an engine on a slice, before anything is paid for."""

from serving import (
    findings_memory,
    findings_multimodal,
    findings_programs,
    findings_proof,
    findings_serving,
    findings_switches,
)
from serving.accelerators import Accelerator
from serving.engine import EngineConfig
from serving.finding import SEVERITIES, Finding, Subject
from serving.models import ModelSpec
from serving.proofs import Proof

__all__ = ["Finding", "findings"]

_MODULES = (
    findings_serving,
    findings_multimodal,
    findings_programs,
    findings_memory,
    findings_proof,
    findings_switches,
)


def findings(
    accelerator: Accelerator, model: ModelSpec, engine: EngineConfig, proof: Proof | None = None
) -> tuple[Finding, ...]:
    """Every finding, errors first; `proof` is this engine's, whose sizes then replace the formulas'. Never
    raises for an engine that EngineConfig accepts."""
    subject = Subject(accelerator, model, engine, proof)
    found = [finding for module in _MODULES for rule in module.RULES for finding in rule(subject)]
    return tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity)))
