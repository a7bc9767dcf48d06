"""Findings: what is wrong, risky or surprising about an engine on a slice, before anything is paid for."""

from collections.abc import Iterable, Iterator

from serving.compilation.candidate import Candidate, Rule
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

__all__ = ["RULES", "Finding", "findings", "refuse_errors"]

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

RULES: tuple[Rule, ...] = tuple(rule for module in _MODULES for rule in module.RULES)


def refuse_errors(findings: Iterable[Finding]) -> None:
    """Raises ValueError with the errors among the findings, one sentence a line, when there are any."""
    errors = [str(finding) for finding in findings if finding.severity == "error"]
    if errors:
        raise ValueError("\n".join(errors))


def findings(candidate: Candidate) -> tuple[Finding, ...]:
    """Returns every finding, errors first. Never raises for an engine that EngineConfig accepts.

    With a proof, its sizes replace those of the formulas. Of a finding's alternatives only those stay after
    which the rules find no new error, unless that is none of them.
    """
    every = list(_judged(candidate))
    ordered = sorted(every, key=lambda finding: SEVERITIES.index(finding.severity))
    return tuple(_with_good_advice(finding, candidate, every) for finding in ordered)


def _judged(candidate: Candidate) -> Iterator[Finding]:
    for rule in RULES:
        yield from rule(candidate)


def _with_good_advice(finding: Finding, candidate: Candidate, every: Iterable[Finding]) -> Finding:
    if len(finding.changes) < 2:
        return finding
    before = _errors(every)
    good = [change for change in finding.changes if _errors(_judged(candidate.after(change))) <= before]
    return candidate.only(finding, good) if 0 < len(good) < len(finding.changes) else finding


def _errors(findings: Iterable[Finding]) -> set[str]:
    return {finding.code for finding in findings if finding.severity == "error"}
