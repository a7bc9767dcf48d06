"""What is wrong, risky or surprising about an engine on a slice, before anything is paid for."""

from collections.abc import Iterable

from serving.compilation.candidate import Candidate
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
from serving.messages.finding import SEVERITIES, Finding

__all__ = ["Finding", "findings", "refuse_errors"]

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


def refuse_errors(found: Iterable[Finding]) -> None:
    """Raises ValueError with the errors among the findings, one sentence a line, when there are any."""
    errors = [str(finding) for finding in found if finding.severity == "error"]
    if errors:
        raise ValueError("\n".join(errors))


def findings(candidate: Candidate) -> tuple[Finding, ...]:
    """Returns every finding, errors first. Never raises for an engine that EngineConfig accepts.

    With a proof, its sizes replace those of the formulas.
    """
    found = [finding for module in _MODULES for rule in module.RULES for finding in rule(candidate)]
    return tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity)))
