"""Advice is followed as a user would: the lines of a sentence are written into the stack file.

Each finding has to go away, no new error may appear, and nothing worse than the finding itself.
"""

import dataclasses
import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from config.selection import from_phase
from serving.compilation.candidate import Candidate
from serving.engine.layers import Change
from serving.engine.phases import PHASES, SCENARIOS
from serving.findings import RULES, findings
from serving.hardware.accelerators import accelerator
from serving.messages.finding import SEVERITIES, Finding
from serving.models.catalog import model
from tests.unit.serving.combinations import TABLE, candidate, configuration
from tests.unit.serving.proved import program, proved

WITHOUT_CHANGE = {"compiler-refuses"}
"""Codes of errors and warnings for which no change is known: the compiler names a program, not a setting."""


def by_code(candidate: Candidate, code: str) -> Finding:
    (finding,) = (each for each in findings(candidate) if each.code == code)
    return finding


def rank(finding: Finding) -> int:
    return -SEVERITIES.index(finding.severity)


def worse(before: Candidate, after: Candidate, finding: Finding) -> list[str]:
    """Returns what a change made worse: the finding that stayed, new errors, new findings above it."""
    known = {each.code for each in findings(before)}
    return [
        str(each)
        for each in findings(after)
        if each.code == finding.code
        or (each.code not in known and (each.severity == "error" or rank(each) > rank(finding)))
    ]


def followed(config: Mapping[str, Any], words: str) -> dict[str, Any]:
    """Returns the stack file after the steps of a sentence; fails on words that are no step."""
    after = {**config, "engine": dict(config["engine"])}
    lines = r"((?:`[^`]+`(?: and (?=`))?)+)"
    steps = re.compile(
        rf"remove {lines} from tpuserve:engine|write {lines} under tpuserve:(\w+)|write {lines}| and "
    )
    position = 0
    while position < len(words):
        step = steps.match(words, position)
        assert step, words[position:]
        removed, written, key, top = step.groups()
        for name in re.findall("`([^`]+)`", removed or ""):
            del after["engine"][name]
        for line in re.findall("`([^`]+)`", written or ""):
            after[key] |= yaml.safe_load(line)
        for line in re.findall("`tpuserve:([^`]+)`", top or ""):
            after |= yaml.safe_load(line)
        position = step.end()
    return after


@pytest.mark.parametrize("case", TABLE, ids=[f"{case['code']} {case['overrides']}" for case in TABLE])
def test_the_advice_of_every_case_can_be_followed(case: dict[str, Any]) -> None:
    config = configuration(case)
    before = candidate(config)
    finding = by_code(before, case["code"])
    for change in finding.changes:
        words = before.layers.advice([change])
        assert words in finding.change
        assert worse(before, before.after(change), finding) == []
        assert worse(before, candidate(followed(config, words)), finding) == [], words


def unusual() -> Iterator[tuple[Candidate, str]]:
    """Yields findings that no engine of the table can have: they need a proof, or a machine that is sold
    nowhere."""
    tuned = from_phase("tuned", phase="tuned").candidate
    small = dataclasses.replace(accelerator("v6e-4"), host_memory_bytes=32 * 10**9)
    stable = from_phase("turbo-stable", phase="turbo-stable").candidate
    refused = proved(program("backbone")).model_copy(update={"refused": ("backbone: it does not lower.",)})
    yield dataclasses.replace(stable, accelerator=small), "prefetch-without-memory"
    yield dataclasses.replace(tuned, accelerator=small), "host-memory-too-small"
    yield dataclasses.replace(tuned, proof=refused), "compiler-refuses"
    yield dataclasses.replace(tuned, proof=proved(program("backbone"))), "formula-and-compiler"


@pytest.mark.parametrize(("before", "code"), [*unusual()], ids=lambda value: str(value)[:40])
def test_the_advice_of_an_unusual_finding_can_be_followed(before: Candidate, code: str) -> None:
    for finding in findings(before):
        for change in finding.changes if finding.code == code else ():
            assert worse(before, before.after(change), finding) == []


@functools.cache
def cases() -> tuple[tuple[Candidate, str], ...]:
    return (*((candidate(configuration(case)), case["code"]) for case in TABLE), *unusual())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.__module__}.{rule.__name__}")
def test_every_rule_has_a_case_and_a_source(rule: Any) -> None:
    codes = {code for before, code in cases() for finding in rule(before) if finding.code == code}
    assert codes, "write a case for this rule into bad_combinations.yaml"
    assert re.search(r"\w+/\w+|\w+\.py|https?://", rule.__doc__ or ""), "name the source in the docstring"


def test_what_must_be_changed_says_how() -> None:
    for before, _ in cases():
        for finding in findings(before):
            if finding.severity != "note" and finding.code not in WITHOUT_CHANGE:
                assert finding.changes, str(finding)
            if not finding.changes and finding.severity == "note":
                assert finding.change.startswith("nothing has to be changed: "), str(finding)


@pytest.mark.parametrize(
    ("phase", "scenario", "engine", "code", "owner", "advice"),
    [
        (
            "tuned", None, {"limit_mm_per_prompt": {"image": 0}}, "vision-programs-without-images",
            "(phase tuned)", "write `vision_programs: null` under tpuserve:engine",
        ),
        (
            "turbo-stable", "multimodal", {"limit_mm_per_prompt": {"image": 0}},
            "vision-programs-without-images", "(scenario multimodal)",
            "write `vision_programs: null` under tpuserve:engine",
        ),
        (
            "turbo-stable", None,
            {
                "limit_mm_per_prompt": {"image": 0},
                "vision_programs": {"token_budgets": [280], "images_per_call": 1},
            },
            "vision-programs-without-images", "(stack file)", "remove `vision_programs` from tpuserve:engine",
        ),
        (
            "turbo-stable", None, {}, "remote-code", "(phase turbo-stable)",
            "write `trust_remote_code: null` under tpuserve:engine",
        ),
        (
            "tuned", None, {"trust_remote_code": True}, "remote-code", "(stack file)",
            "remove `trust_remote_code` from tpuserve:engine",
        ),
    ],
)  # fmt: skip
def test_a_sentence_names_who_set_the_value_and_the_line_that_helps(
    phase: str, scenario: str | None, engine: Change, code: str, owner: str, advice: str
) -> None:
    config = {"target": {"kind": "local"}, "accelerator": "v6e-4", "phase": phase, "engine": engine}
    finding = by_code(candidate(config | ({"scenario": scenario} if scenario else {})), code)
    assert finding.asked.endswith(owner)
    assert finding.change == advice


def test_options_of_a_command_get_options_as_advice() -> None:
    fields = {"limit_mm_per_prompt": {"image": 0}, "block_size": 32}
    tuned = from_phase("tuned", phase="tuned", engine=fields).candidate
    finding = by_code(tuned, "vision-programs-without-images")
    assert finding.change == "add `--set vision_programs=null`"
    assert tuned.layers.advice([{"engine.block_size": None}]) == "leave out `--set block_size=…`"
    assert tuned.layers.advice([{"accelerator": "v6e-8", "engine.tensor_parallel_size": 8}]) == (
        "add `--accelerator v6e-8` and `--set tensor_parallel_size=8`"
    )


@settings(max_examples=40)
@given(
    st.sampled_from(["v6e-1", "v6e-4", "v6e-8"]),
    st.sampled_from(sorted(PHASES)),
    st.sampled_from([None, *sorted(SCENARIOS)]),
    st.fixed_dictionaries(
        {},
        optional={
            "tensor_parallel_size": st.sampled_from([1, 2, 3, 4, 8, 16]),
            "gpu_memory_utilization": st.integers(30, 100).map(lambda percent: percent / 100),
            "max_model_len": st.sampled_from([1024, 16_384, 131_072, 262_144]),
            "max_num_seqs": st.sampled_from([1, 64, 512, 4096]),
            "block_size": st.sampled_from([16, 31, 32, 256]),
            "num_gpu_blocks_override": st.sampled_from([50, 5000, 10**6]),
            "speculative": st.just({"method": "ngram", "num_speculative_tokens": 3}),
            "trust_remote_code": st.just(True),
        },
    ),
)
def test_one_change_at_a_time_removes_its_finding(
    slice_: str, phase: str, scenario: str | None, engine: dict[str, object]
) -> None:
    """An engine with several mistakes needs several changes, so other errors may stay."""
    before = from_phase("x", phase=phase, scenario=scenario, accelerator_name=slice_, engine=engine).candidate
    for finding in findings(before):
        for change in finding.changes:
            assert finding.code not in {each.code for each in findings(before.after(change))}, str(finding)


def test_a_smaller_model_is_advised_only_where_no_slice_is_large_enough() -> None:
    large = model("gemma-4-31b-it")
    local = Candidate(accelerator("local-v6e-4"), large, from_phase("x", phase="tuned").candidate.engine)
    finding = by_code(local, "weights-do-not-fit")
    assert finding.changes == ({"model": "tiny-gemma4-moe", "engine.max_model_len": 4096},)
