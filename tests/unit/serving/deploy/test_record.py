"""Records of releases: what is read is what was written, and each defect has its sentence."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from serving.compilation.candidate import Candidate
from serving.deploy.record import Record, engine_fields, parse, static_record
from serving.deploy.release import Release, release
from serving.engine.config import parse as parse_engine
from serving.engine.layers import Layers
from serving.engine.phases import PHASES, SCENARIOS, engine_for
from serving.hardware.accelerators import accelerator
from serving.models.catalog import model
from serving.startup.cold_start import estimate
from serving.startup.timeouts import lifecycle

WHERE = "releases/x.json"
RESTORE = "take it from the artifact bucket or from git again, or name another release."
ACCEPTANCE: Mapping[str, Any] = {
    "archive": {"name": "xla/0123.tar", "sha256": "c" * 64},
    "accepted": 1_790_000_000.5,
    "verdict": {
        "release": "",
        "state": "accepted",
        "sentence": "All checks passed.",
        "finished": 1_790_000_000.5,
        "checks": [{"name": "chat", "result": "passed", "sentence": "It answered.", "seconds": 1.2}],
        "ladder": [{"concurrency": 1, "requests": 2, "failures": 0}],
        "baseline": None,
    },
}


def described(phase: str = "tuned", scenario: str | None = None) -> tuple[Candidate, Release]:
    engine = engine_for(phase, scenario, {})
    candidate = Candidate(
        accelerator("v6e-4"), model(PHASES[phase].model), engine, layers=Layers(phase, scenario)
    )
    server = release(
        candidate,
        image=f"vllm/vllm-tpu:v0.32.0@sha256:{'a' * 64}",
        lifecycle=lifecycle(estimate(candidate), 300),
        agent_digest="b" * 64,
    )
    return candidate, server


def document(phase: str = "tuned", scenario: str | None = None) -> dict[str, Any]:
    """A record as it is in the bucket."""
    candidate, server = described(phase, scenario)
    static = static_record(server, candidate, fingerprint="0123", longest_request_seconds=300)
    return {**static, "commit": None, **ACCEPTANCE}


def read(phase: str = "tuned", scenario: str | None = None) -> Record:
    return parse(json.dumps(document(phase, scenario)), WHERE)


@pytest.mark.parametrize("scenario", [None, *SCENARIOS])
@pytest.mark.parametrize("phase", PHASES)
def test_a_record_gives_back_release_and_engine(phase: str, scenario: str | None) -> None:
    candidate, server = described(phase, scenario)
    record = read(phase, scenario)
    assert record.server == server and record.server.argv("1.2.3.4") == server.argv("1.2.3.4")
    assert record.candidate.engine == candidate.engine
    assert record.candidate.model == candidate.model and record.candidate.accelerator == candidate.accelerator
    path = f"/models/{candidate.model.name}", candidate.model.name, 8000
    assert record.candidate.engine.argv(*path) == candidate.engine.argv(*path)
    assert record.candidate.engine.environment() == candidate.engine.environment()
    assert (record.phase, record.scenario) == (phase, scenario)


def test_the_engine_of_a_record_does_not_follow_a_default() -> None:
    """A default that nobody set is in the record, because a later version may have another one."""
    engine = engine_for("tuned", None, {})
    assert "no_usage_stats" not in engine.model_fields_set and engine_fields(engine)["no_usage_stats"] is True
    other = engine_for("tuned", None, {"cache_min_compile_seconds": None, "extra_flags": {"seed": 1}})
    assert parse_engine(engine_fields(other)) == other


def test_a_record_without_a_verdict_is_not_accepted() -> None:
    assert read().is_accepted
    for change in (
        {"accepted": None},
        {"verdict": None},
        {"verdict": {"state": "rejected", "sentence": "No."}},
    ):
        assert not parse(json.dumps({**document(), **change}), WHERE).is_accepted


def test_a_later_version_may_record_more() -> None:
    assert parse(json.dumps({**document(), "later": 1}), WHERE) == read()


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in document().items() if key != name}


DEFECTS = (
    ("{", f"{WHERE} is not JSON; {RESTORE}"),
    ("[]", f"{WHERE} is not JSON; {RESTORE}"),
    (without("argv"), f"{WHERE} has no argv, so it is no record of a release; {RESTORE}"),
    (
        {**document(), "environment": {"HOME": 1}},
        f"{WHERE} has a wrong environment.HOME, which should be a valid string; {RESTORE}",
    ),
    (
        {**document(), "agent": "b"},
        f"{WHERE} has a wrong agent, which String should match pattern '^[0-9a-f]{{64}}$'; {RESTORE}",
    ),
    (
        {**document(), "archive": {"name": "xla/0123.tar"}},
        f"{WHERE} has no archive.sha256, so it is no record of a release; {RESTORE}",
    ),
    ({**document(), "argv": ["vllm"]}, f"{WHERE} has no argv with one --host 0.0.0.0; {RESTORE}"),
    (
        {**document(), "environment": {}},
        f"{WHERE} has no number of seconds in environment.VLLM_ENGINE_READY_TIMEOUT_S; {RESTORE}",
    ),
    (
        {**document(), "release": "00000000"},
        f"{WHERE} says that it is release 00000000, and its content is release {document()['release']}: it "
        f"was changed after it was written; {RESTORE}",
    ),
)


@pytest.mark.parametrize(("content", "sentence"), DEFECTS)
def test_each_defect_has_its_sentence(content: str | dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse(content if isinstance(content, str) else json.dumps(content), WHERE)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("name", ["image", "model", "accelerator", "argv", "environment", "agent"])
def test_what_decides_a_server_cannot_be_changed_in_its_record(name: str) -> None:
    changes: dict[str, Any] = {
        "argv": [*document()["argv"], "--seed", "1"],
        "environment": {**document()["environment"], "A": "b"},
        "agent": "d" * 64,
    }
    with pytest.raises(ValueError, match="it was changed after it was written"):
        parse(json.dumps({**document(), name: changes.get(name, "other")}), WHERE)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"engine": {**document()["engine"], "block_size": "x"}}, "engine.block_size is"),
        ({"engine": {**document()["engine"], "gone": 1}}, "engine.gone is not a name here"),
    ],
)
def test_an_engine_that_this_version_does_not_know_is_refused(change: dict[str, Any], sentence: str) -> None:
    """The release's name does not cover these fields: command line and environment decide the server."""
    with pytest.raises(ValueError) as caught:
        _ = parse(json.dumps({**document(), **change}), WHERE).candidate
    assert f"release {document()['release']}: {sentence}" in str(caught.value)
