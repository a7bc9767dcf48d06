"""Verdicts on the flags of `vllm serve`: each flag has one, and a real flag is never taken for a typing
error.
"""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from agent.server.request_rules import DRAFTS_VARIABLE
from serving.compilation.candidate import Candidate
from serving.compilation.fingerprint import fingerprint
from serving.deploy.release import Release, release
from serving.engine.config import EngineConfig, parse
from serving.engine.environment_variables import NATIVE, is_read, known_names, read_on
from serving.engine.extra_flags import advice_on_flag, extra_flag_problem, without
from serving.engine.flag_verdicts import EXTRA, REFUSED, Need
from serving.engine.phases import engine_for
from serving.engine.server_flags import ServerFlag, server_flags
from serving.hardware.accelerators import accelerator
from serving.messages.unsupported_options import FOREIGN
from serving.models.catalog import model
from serving.startup.timeouts import lifecycle
from tests.unit.serving.engine.test_config import REQUIRED
from tests.unit.serving.startup.test_timeouts import cold

SLICE, MODEL = accelerator("v6e-4"), model("gemma-4-26b-a4b-it")
FIELDS = EngineConfig.fields_by_target("flag")
FLAGS = server_flags()


def example(flag: ServerFlag) -> Any:
    """Returns a value that the parser takes for the flag."""
    extra = EXTRA[flag.name]
    choices = extra.values or flag.choices
    number = 1 if extra.most is None or extra.most >= 1 else extra.most
    values: Mapping[str, Any] = {
        "switch": True,
        "on": True,
        "integer": max(extra.least or 0, number),
        "number": max(extra.least or 0, number),
        "text": choices[-1] if choices else "text",
        "json": {key: [0.5, 1] for key in extra.keys[:1]},
    }
    return [values[flag.kind]] if flag.many else values[flag.kind]


def with_needs(name: str, value: object) -> dict[str, Any]:
    """Returns the fields with which extra_flags takes the flag: the flag, and what it needs."""
    raw: dict[str, Any] = {"extra_flags": {name: value}}
    while (need := _unmet(raw)) is not None:
        value = example(FLAGS[need.setting]) if need.value is None else need.value
        (raw["extra_flags"] if need.setting in EXTRA else raw)[need.setting] = value
    return raw


def _unmet(raw: dict[str, Any]) -> Need | None:
    for name, value in raw["extra_flags"].items():
        need = EXTRA[name].need
        if need and need.where in (None, value) and need.setting not in {*raw, *raw["extra_flags"]}:
            return need
    return None


def with_flag(name: str, value: object) -> EngineConfig:
    return parse({**REQUIRED, **with_needs(name, value)})


@pytest.mark.parametrize("name", FLAGS)
def test_a_flag_has_exactly_one_verdict_and_its_sentence(name: str) -> None:
    verdicts = [FLAGS[name].flag in FIELDS, name in EXTRA, name in REFUSED, name in FOREIGN]
    assert verdicts.count(True) == 1, verdicts
    if name in EngineConfig.model_fields:
        return
    with pytest.raises(ValueError) as refusal:
        parse({**REQUIRED, name: 1})
    assert str(refusal.value) == f"engine.{name} is not a name here: {advice_on_flag(name, FIELDS)}."
    assert re.search("; [a-z]|: write |: the model is the key|outside engine", str(refusal.value))
    assert "nearest" not in str(refusal.value)


def test_no_verdict_is_about_a_flag_that_does_not_exist() -> None:
    assert set(EXTRA) | set(REFUSED) <= set(FLAGS)
    assert len(FLAGS) > 300


@pytest.mark.parametrize("name", EXTRA)
def test_an_extra_flag_takes_a_value_and_reaches_command_line_and_release(name: str) -> None:
    flag = FLAGS[name]
    engine = with_flag(name, example(flag))
    assert flag.flag in engine.argv("m", "m", 1)
    others = {other: value for other, value in engine.extra_flags.items() if other != name}
    bare = engine.model_copy(update={"extra_flags": others})
    assert released(engine) != released(bare)
    assert (cached(engine) != cached(bare)) == EXTRA[name].programs


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, extra.need.where or example(FLAGS[name])) for name, extra in EXTRA.items() if extra.need],
)
def test_a_flag_is_refused_without_what_it_needs(name: str, value: object) -> None:
    need = EXTRA[name].need
    assert need is not None
    raw = with_needs(name, value)
    assert parse({**REQUIRED, **raw}).extra_flags[name] == value
    with pytest.raises(ValueError, match=f"extra_flags.{name}(: {need.where})? needs {need.setting}"):
        parse({**REQUIRED, "extra_flags": {name: value}})
    assert name not in without(raw["extra_flags"], need.setting)
    rest = without(raw["extra_flags"], name)
    assert parse({**REQUIRED, **raw, "extra_flags": rest}).extra_flags == rest


@pytest.mark.parametrize(
    "name", [flag.name for flag in FLAGS.values() if flag.kind == "switch" and flag.name not in REFUSED]
)
def test_the_negation_of_a_switch_is_advised_as_false(name: str) -> None:
    flag = FLAGS[name]
    if name in FOREIGN:
        return
    for spelling in (f"no_{name}", f"--no-{name.replace('_', '-')}"):
        advice = advice_on_flag(spelling, FIELDS)
        assert advice is not None and advice.endswith(f"{FIELDS.get(flag.flag, name)}: false")
        for value, text in ((True, "false"), (False, "true")):
            problem = extra_flag_problem(spelling, value, FIELDS)
            assert problem is not None and problem.endswith(f"{FIELDS.get(flag.flag, name)}: {text}")


@pytest.mark.parametrize("name", EXTRA)
@pytest.mark.parametrize("value", [None, [], {"unknown": 1}, "--host"], ids=str)
def test_an_extra_flag_refuses_a_value_of_another_kind(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"engine.extra_flags: {name}"):
        with_flag(name, value)


def of(engine: EngineConfig) -> Release:
    return release(
        Candidate(SLICE, MODEL, engine),
        image="i@sha256:0",
        lifecycle=lifecycle(cold(1800), 60),
        agent_digest="0",
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [({}, None), ({"speculative": {"method": "ngram", "num_speculative_tokens": 3}}, "1")],
)
def test_the_guard_learns_that_the_engine_drafts(change: dict[str, object], expected: str | None) -> None:
    assert dict(of(parse({**REQUIRED, **change})).environment).get(DRAFTS_VARIABLE) == expected


def released(engine: EngineConfig) -> str:
    return of(engine).name


def cached(engine: EngineConfig) -> str:
    return fingerprint(Candidate(SLICE, MODEL, engine), image="i@sha256:0").digest


@pytest.mark.parametrize(
    ("field", "value", "programs"),
    [
        ("max_num_queued_reqs", 512, False),
        ("max_num_queued_tokens", 100_000, False),
        ("override_generation_config", {"temperature": 0.5}, False),
        ("default_chat_template_kwargs", {"enable_thinking": True}, False),
        ("image_tokens", 560, True),
        ("max_logprobs", 50, True),
        ("qwix_rules", [{"module_path": ".*", "weight_qtype": "int8"}], True),
    ],
)
def test_a_field_that_changes_programs_renames_the_cache(field: str, value: object, programs: bool) -> None:
    plain, changed = parse(REQUIRED), parse({**REQUIRED, field: value})
    assert released(plain) != released(changed)
    assert (cached(plain) != cached(changed)) == programs


def test_the_vision_program_of_a_phase_follows_the_size_of_images() -> None:
    engine = engine_for("tuned", None, {"image_tokens": 560})
    assert engine.vision_programs is not None
    assert engine.vision_programs.token_budgets == (560,)
    assert engine_for("turbo-stable", None, {"image_tokens": 560}).vision_programs is None
    own = {"image_tokens": 560, "vision_programs": {"token_budgets": (1120,), "images_per_call": 2}}
    assert engine_for("tuned", None, own).vision_programs != engine.vision_programs


@pytest.mark.parametrize(
    "name",
    [
        "OMP_NUM_THREADS",
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
        "TOKENIZERS_PARALLELISM",
        "RUST_LOG",
        "XLA_FLAGS",
    ],
)
def test_a_variable_of_any_package_or_native_library_is_read(name: str) -> None:
    assert is_read(name)
    assert parse({**REQUIRED, "extra_environment": {name: "1"}}).environment()[name] == "1"


def test_the_list_of_variables_is_large_and_dated() -> None:
    assert len(known_names()) > 2000
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", read_on())
    assert all("https://" in source for source in NATIVE.values())


def test_what_the_deployment_sets_cannot_be_set_again() -> None:
    for name, _ in of(parse(REQUIRED)).environment:
        with pytest.raises(ValueError):
            parse({**REQUIRED, "extra_environment": {name: "1"}})
