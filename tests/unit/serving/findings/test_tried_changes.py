"""Changes that a finding advises are tried first: by themselves, then with what the new errors advise."""

from collections.abc import Iterator

import pytest

from config.selection import from_phase
from serving.compilation.candidate import Candidate, Rule
from serving.engine.layers import Change
from serving.findings import findings
from serving.messages.finding import Finding
from tests.unit.serving.findings.test_advice import by_code

STEPS = {"image_tokens": 560, "max_num_batched_tokens": 100, "enable_expert_parallel": True}


def test_a_change_that_needs_another_one_is_advised_with_it() -> None:
    """A larger step holds the image, and is too large for expert parallelism."""
    before = from_phase("x", phase="turbo-stable", engine=STEPS).candidate
    finding = by_code(before, "item-larger-than-step")
    assert finding.changes == ({"engine.max_num_batched_tokens": 562, "engine.enable_expert_parallel": None},)
    assert finding.change == (
        "leave out `--set enable_expert_parallel=…` and add `--set max_num_batched_tokens=562`"
    )


def remove_logs(candidate: Candidate) -> Iterator[Finding]:
    yield candidate.finding(
        "warning", "logs", "enable_log_requests", "it logs", {"engine.enable_log_requests": None}
    )


def remove_limits(candidate: Candidate) -> Iterator[Finding]:
    limits = candidate.engine.limit_mm_per_prompt
    if limits is not None:
        change = {"engine.limit_mm_per_prompt": None}
        yield candidate.finding(
            "note", "limits", "limit_mm_per_prompt", "it limits", change, otherwise="keep it"
        )


def take_fewer_chips(candidate: Candidate) -> Iterator[Finding]:
    if candidate.engine.tensor_parallel_size == 4:
        change = {"engine.tensor_parallel_size": 2}
        yield candidate.finding(
            "note", "chips", "tensor_parallel_size", "it takes four", change, otherwise="keep it"
        )


def warn_of_no_logs(candidate: Candidate) -> Iterator[Finding]:
    if candidate.engine.enable_log_requests is None:
        yield candidate.finding(
            "warning", "no-logs", "enable_log_requests", "it logs nothing", otherwise="set it"
        )


def refuse_no_limits(candidate: Candidate) -> Iterator[Finding]:
    if candidate.engine.limit_mm_per_prompt is None:
        yield candidate.finding(
            "error", "no-limits", "limit_mm_per_prompt", "it has none", otherwise="set it"
        )


@pytest.mark.parametrize(
    ("rules", "engine", "sentence"),
    [
        (
            (remove_logs,),
            {"enable_log_requests": True, "extra_flags": {"max_log_len": 100}},
            "leave out `--set enable_log_requests=…`, after which the next preview says: engine: "
            "extra_flags.max_log_len needs enable_log_requests: true; set engine.enable_log_requests to "
            "true, or remove extra_flags.max_log_len",
        ),
        (
            (remove_limits, refuse_no_limits),
            {},
            "keep it, or add `--set limit_mm_per_prompt=null`, after which the next preview says: "
            "engine.limit_mm_per_prompt is None: it has none; set it",
        ),
        (
            (take_fewer_chips,),
            {},
            "keep it, or add `--set tensor_parallel_size=2`, after which the next preview says: the KV cache "
            "holds 32,272 tokens instead of 235,104",
        ),
        (
            (remove_logs, warn_of_no_logs),
            {"enable_log_requests": True},
            "leave out `--set enable_log_requests=…`, after which the next preview says: "
            "engine.enable_log_requests is None: it logs nothing; set it",
        ),
        (
            (remove_logs,),
            {"enable_log_requests": True},
            "leave out `--set enable_log_requests=…`, after which the next preview says: "
            "engine.enable_log_requests is None: it logs; write `enable_log_requests: null` under "
            "tpuserve:engine",
        ),
    ],
)
def test_a_change_that_does_not_help_says_what_the_next_preview_says(
    monkeypatch: pytest.MonkeyPatch, rules: tuple[Rule, ...], engine: Change, sentence: str
) -> None:
    monkeypatch.setattr("serving.findings.RULES", rules)
    (finding,) = findings(from_phase("x", phase="tuned", engine=engine).candidate)
    assert finding.changes == ()
    assert finding.change == sentence
