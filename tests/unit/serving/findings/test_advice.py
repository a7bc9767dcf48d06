"""Advice is followed as a user would: the lines of a sentence are written into the stack file.

Each finding has to go away, no new error may appear, and nothing worse than the finding itself.
"""

import copy
import dataclasses
import functools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from config.selection import from_phase
from serving.compilation.candidate import Candidate
from serving.engine.config import EngineConfig
from serving.engine.flag_verdicts import EXTRA
from serving.engine.layers import Change, Layers, Place
from serving.engine.phases import PHASES, SCENARIOS, engine_for
from serving.engine.server_flags import server_flags
from serving.findings import RULES, findings
from serving.hardware.accelerators import accelerator
from serving.messages.finding import SEVERITIES, Finding
from serving.models.catalog import model
from tests.unit.serving.combinations import TABLE, candidate, configuration
from tests.unit.serving.engine.test_flags import example
from tests.unit.serving.proved import program, proved

WITHOUT_CHANGE = {"compiler-refuses"}
"""Codes of errors and warnings for which no change is known: the compiler names a program, not a setting."""

SECRET = "hunter2"
"""Value of a variable that no advice is about."""


def by_code(candidate: Candidate, code: str) -> Finding:
    (finding,) = (each for each in findings(candidate) if each.code == code)
    return finding


def judged(candidate: Candidate) -> list[Finding]:
    """Returns what the rules report, without a trial of their advice."""
    return [finding for rule in RULES for finding in rule(candidate)]


def rank(finding: Finding) -> int:
    return -SEVERITIES.index(finding.severity)


def worse(before: Candidate, after: Candidate, finding: Finding) -> list[str]:
    """Returns what a change made worse: the finding that stayed, new errors, new findings above it."""
    known = {each.code for each in judged(before)}
    return [
        str(each)
        for each in judged(after)
        if each.code == finding.code
        or (each.code not in known and (each.severity == "error" or rank(each) > rank(finding)))
    ]


def followed(config: Mapping[str, Any], words: str) -> dict[str, Any]:
    """Returns the stack file after the steps of a sentence; fails on words that are no step."""
    after = copy.deepcopy(dict(config))
    lines = r"((?:`[^`]+`(?: and (?=`))?)+)"
    steps = re.compile(
        rf"remove {lines} from tpuserve:([\w.]+)|write {lines} under tpuserve:([\w.]+)|write {lines}| and "
    )
    position = 0
    while position < len(words):
        step = steps.match(words, position)
        assert step, words[position:]
        removed, old, written, new, top = step.groups()
        for name in re.findall("`([^`]+)`", removed or ""):
            del section(after, old)[name]
        for line in re.findall("`([^`]+)`", written or ""):
            section(after, new).update(yaml.safe_load(line))
        for line in re.findall("`tpuserve:([^`]+)`", top or ""):
            after |= yaml.safe_load(line)
        position = step.end()
    return after


def section(config: dict[str, Any], path: str) -> dict[str, Any]:
    """Returns the part of a stack file that has this path."""
    for name in path.split("."):
        config = config[name]
    return config


def with_flags(engine: Mapping[str, object], flags: Mapping[str, object]) -> dict[str, object]:
    """Returns engine fields with those of the extra flags that EngineConfig accepts beside them."""
    for name, value in flags.items():
        more = {
            **engine,
            "extra_flags": {name: value, **cast(dict[str, object], engine.get("extra_flags", {}))},
        }
        try:
            engine_for("tuned", None, more)
        except ValueError:
            continue
        engine = more
    return dict(engine)


def crowded(case: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the stack file of a case with request logs, with every extra flag that goes with its other
    fields, and with a variable that has nothing to do with the case.
    """
    config = configuration(case)
    fields: dict[str, Any] = config["engine"]
    variables = {"JAX_LOG_COMPILES": SECRET, **fields.get("extra_environment", {})}
    flags = {name: example(flag) for name, flag in server_flags().items() if name in EXTRA}
    if fields.get("speculative"):
        # It turns the warning about drafts and constraints into an error of its own.
        del flags["tool_strict_level"]
    engine = with_flags({"enable_log_requests": True, **fields, "extra_environment": variables}, flags)
    assert {"max_log_len", "stream_interval"} <= cast(dict[str, object], engine["extra_flags"]).keys()
    return {**config, "engine": engine}


IDS = [f"{case['code']} {case['overrides']}" for case in TABLE]


@pytest.mark.parametrize("stack_file", [configuration, crowded], ids=lambda function: function.__name__)
@pytest.mark.parametrize("case", TABLE, ids=IDS)
def test_the_advice_of_every_case_can_be_followed(
    case: dict[str, Any], stack_file: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> None:
    config = stack_file(case)
    before = candidate(config)
    finding = by_code(before, case["code"])
    assert SECRET not in str(finding)
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
            "max_num_batched_tokens": st.sampled_from([100, 512, 4096]),
            "enable_expert_parallel": st.just(True),
            "disable_chunked_mm_input": st.none(),
            "image_tokens": st.just(560),
            "enable_log_requests": st.just(True),
        },
    ),
    st.fixed_dictionaries(
        {},
        optional={
            "max_log_len": st.just(100),
            "enable_log_outputs": st.just(True),
            "max_num_active_seqs": st.sampled_from([1, 200]),
            "seed": st.just(7),
        },
    ),
)
def test_one_change_removes_its_finding_and_adds_no_error(
    slice_: str, phase: str, scenario: str | None, fields: dict[str, object], flags: dict[str, object]
) -> None:
    """An engine with several mistakes needs several changes, so other errors may stay."""
    engine = with_flags(fields, flags)
    before = from_phase("x", phase=phase, scenario=scenario, accelerator_name=slice_, engine=engine).candidate
    every = findings(before)
    errors = {each.code for each in every if each.severity == "error"}
    for finding in every:
        for change in finding.changes:
            after = judged(before.after(change))
            assert finding.code not in {each.code for each in after}, str(finding)
            assert {each.code for each in after if each.severity == "error"} <= errors, str(finding)


@pytest.mark.parametrize(
    ("place", "change", "words"),
    [
        (
            "stack file",
            {"extra_environment": {"B": "2"}},
            "remove `A` from tpuserve:engine.extra_environment",
        ),
        ("stack file", {"extra_environment": {}}, "remove `extra_environment` from tpuserve:engine"),
        (
            "stack file",
            {"extra_flags": {"max_num_active_seqs": 8}},
            "remove `seed` from tpuserve:engine.extra_flags and write `max_num_active_seqs: 8` under "
            "tpuserve:engine.extra_flags",
        ),
        (
            "stack file",
            {"extra_environment": {"A": "1", "B": "3"}},
            "write `B: '3'` under tpuserve:engine.extra_environment",
        ),
        (
            "stack file",
            {"extra_environment": {"B": "3"}, "extra_flags": {}, "block_size": 32},
            "remove `extra_flags` from tpuserve:engine and remove `A` from tpuserve:engine.extra_environment "
            "and write `B: '3'` under tpuserve:engine.extra_environment and write `block_size: 32` under "
            "tpuserve:engine",
        ),
        ("--set", {"extra_environment": {"B": "2"}}, "leave out `A` of `--set extra_environment=…`"),
        ("--set", {"extra_environment": {}}, "leave out `--set extra_environment=…`"),
        ("--set", {"extra_flags": {"seed": 8}}, "write `seed: 8` in `--set extra_flags=…`"),
    ],
)
def test_advice_on_a_mapping_names_only_the_entries_that_change(
    place: Place, change: Mapping[str, object], words: str
) -> None:
    fields = {"extra_environment": {"A": "1", "B": "2"}, "extra_flags": {"seed": 7}}
    before = from_phase("x", phase="tuned", engine=fields).candidate
    before = dataclasses.replace(before, layers=dataclasses.replace(before.layers, place=place))
    asked = {f"engine.{name}": value for name, value in change.items()}
    finding = before.finding("note", "code", "extra_environment", "true", asked)
    assert finding.change == words
    assert before.after(finding.changes[0]).engine == before.after(asked).engine


@pytest.mark.parametrize("name", ["FROBNICATE", "JAX_PLATFORMS", "LIBTPU_INIT_ARGS", "USE_DENSE_MOE"])
@pytest.mark.parametrize("layers", [True, False])
def test_advice_about_a_variable_prints_no_value_of_another(name: str, layers: bool) -> None:
    variables = {"MY_APP_PW": SECRET, name: "true"}
    before = from_phase("x", phase="tuned", engine={"extra_environment": variables}).candidate
    before = before if layers else dataclasses.replace(before, layers=Layers())
    about = [each for each in findings(before) if each.field == "engine.extra_environment"]
    assert len(about) == 2
    for finding in about:
        assert SECRET not in repr(finding)
        assert [*finding.changes[0].values()] == [None]


def test_no_preset_has_entries_that_a_stack_file_could_not_remove() -> None:
    """A mapping of the stack file replaces the preset's, so advice on one entry would not be right."""
    mappings = {name for name, info in EngineConfig.model_fields.items() if info.default_factory is dict}
    assert mappings == {"extra_environment", "extra_flags"}
    for preset in (*PHASES.values(), *SCENARIOS.values()):
        assert not mappings & preset.engine.keys()


@pytest.mark.parametrize("case", TABLE, ids=IDS)
def test_advice_on_any_field_of_any_case_is_worded(case: dict[str, Any]) -> None:
    """The layers below lack what the user's value needs, and an engine of both would be refused."""
    engine = crowded(case)["engine"]
    layers = Layers(phase="tuned", fields=engine)
    for name, value in engine.items():
        words = layers.advice([{f"engine.{name}": value}])
        assert words.startswith((f"write `{name}: ", f"remove `{name}` from tpuserve:engine")), words


def test_a_smaller_model_is_advised_only_where_no_slice_is_large_enough() -> None:
    large = model("gemma-4-31b-it")
    local = Candidate(accelerator("local-v6e-4"), large, from_phase("x", phase="tuned").candidate.engine)
    finding = by_code(local, "weights-do-not-fit")
    assert finding.changes == ({"model": "tiny-gemma4-moe", "engine.max_model_len": 4096},)
