"""Findings: what is wrong, risky or surprising about an engine on a slice, before anything is paid for."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from serving.compilation.candidate import Candidate, Rule
from serving.engine.layers import Change
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
from serving.memory.changes import fits
from serving.memory.terms import terms
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


MOST_CHANGES = 3
"""Changes that one piece of advice may combine."""


@dataclass(frozen=True)
class _Trial:
    """A change, and what speaks against it as advice.

    `problems` are the sentences of a preview with the change: why EngineConfig refuses the engine, new
    errors or warnings, the finding itself, or the KV tokens that are lost. `repairs` are the changes
    that these findings advise.
    """

    change: Change
    problems: tuple[str, ...] = ()
    repairs: tuple[Change, ...] = ()


def findings(candidate: Candidate) -> tuple[Finding, ...]:
    """Returns every finding, errors first. Never raises for an engine that EngineConfig accepts.

    With a proof, its sizes replace those of the formulas. Each change that a finding advises was tried: the
    rules no longer report the finding, and report no new error and, if it is no error itself, no new warning;
    and an engine that fits keeps half of its KV tokens. Where a change needs others for that, they are part
    of it. Where no change is known that helps, the sentence says what the next preview reports.
    """
    every = list(_judged(candidate))
    ordered = sorted(every, key=lambda finding: SEVERITIES.index(finding.severity))
    return tuple(_with_tried_advice(finding, candidate, every) for finding in ordered)


def _judged(candidate: Candidate) -> Iterator[Finding]:
    for rule in RULES:
        yield from rule(candidate)


def _with_tried_advice(finding: Finding, candidate: Candidate, every: Sequence[Finding]) -> Finding:
    trials = first = [_trial(finding, change, candidate, every) for change in finding.changes]
    for _ in range(MOST_CHANGES - 1):
        if not all(trial.problems for trial in trials):
            break
        combined = ({**trial.change, **repair} for trial in trials for repair in trial.repairs)
        trials = [_trial(finding, change, candidate, every) for change in combined]
    good = [trial.change for trial in trials if not trial.problems]
    if tuple(good) == finding.changes:
        return finding
    if good:
        return candidate.only(finding, good)
    step = candidate.layers.advice([first[0].change])
    then = f"{step}, after which the next preview says: {first[0].problems[0].removesuffix('.')}"
    words = f"{finding.otherwise}, or {then}" if finding.otherwise else then
    return replace(finding, changes=(), change=words)


def _trial(finding: Finding, change: Change, candidate: Candidate, every: Iterable[Finding]) -> _Trial:
    try:
        changed = candidate.after(change)
    except ValueError as refusal:
        return _Trial(change, tuple(str(refusal).splitlines()))
    after = list(_judged(changed))
    before, codes = Counter(each.code for each in every), Counter(each.code for each in after)
    errors = {each.code for each in every if each.severity == "error"}
    new = [each for each in after if each.severity == "error" and each.code not in errors]
    if finding.severity != "error":
        new += [each for each in after if each.severity == "warning" and each.code not in before]
    if codes[finding.code] >= before[finding.code]:
        new.append(next(each for each in after if each.code == finding.code))
    repairs = tuple(repair for each in new for repair in each.changes)
    return _Trial(change, (*map(str, new), *_lost_tokens(candidate, changed)), repairs)


def _lost_tokens(candidate: Candidate, changed: Candidate) -> Iterator[str]:
    """Yields a sentence if both fit and a change loses more than half of the KV tokens."""
    if not (fits(candidate) and fits(changed)):
        return
    before, after = (terms(each).pool.tokens for each in (candidate, changed))
    if 2 * after < before:
        yield f"the KV cache holds {after:,} tokens instead of {before:,}."
