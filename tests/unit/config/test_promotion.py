"""A stack that names a release: what it takes from the record, and what it refuses."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.promotion import DECIDED
from config.selection import candidate_of
from config.settings import Checkpoint, Settings
from config.stack_file import parse, read
from explain import compose_files
from stacks.plan import Plan, plan
from tests import promoted

TARGET: Mapping[str, Any] = {
    "kind": "tpu-vm",
    "project": "a-project",
    "zone": "us-east5-b",
    "capacity": {"kind": "spot"},
}
DESCRIBED: Mapping[str, Any] = {
    "target": TARGET,
    "model_revision": "0" * 40,
    "scenario": "interactive",
    "engine": {"max_num_seqs": 64},
    "image": f"vllm/vllm-tpu:v0.32.0@sha256:{'a' * 64}",
    "longest_request_seconds": 120,
}
SOMEBODYS: Mapping[str, Any] = {
    "architecture": "gemma-4-26b-a4b-it",
    "repository": "your-team/gemma-4-26b-support",
    "revision": "1" * 40,
}


def planned(**changes: Any) -> Plan:
    values = {name: value for name, value in {**DESCRIBED, **changes}.items() if value is not None}
    settings = Settings.parse(values)
    assert settings.image is not None
    return plan(settings, settings.image)


def promoting(folder: Path, name: str, **beside: Any) -> Settings:
    """The settings of a stack file in `folder` with this release."""
    values = {"target": TARGET, "release": name, **beside}
    return parse({f"tpuserve:{key}": value for key, value in values.items()}, (), folder)


def test_a_stack_has_the_values_of_its_release(tmp_path: Path) -> None:
    before = planned()
    settings = promoting(tmp_path, promoted.write(tmp_path, before))
    candidate = candidate_of(settings)
    assert candidate.engine == before.candidate.engine and candidate.model == before.candidate.model
    assert settings.model_spec == before.candidate.model
    assert settings.image_name == before.release.image
    assert settings.longest_request_seconds == 120
    assert settings.promotion is not None and settings.promotion.record.scenario == "interactive"


def test_a_checkpoint_of_the_user_stays_one(tmp_path: Path) -> None:
    before = planned(model=SOMEBODYS, model_revision=None)
    settings = promoting(tmp_path, promoted.write(tmp_path, before))
    assert settings.model == Checkpoint.model_validate(SOMEBODYS)
    assert settings.model_spec == before.candidate.model


def test_the_text_of_a_template_is_in_the_release(tmp_path: Path) -> None:
    template = "{{ messages }}"
    before = planned(engine={"chat_template": template})
    settings = promoting(tmp_path, promoted.write(tmp_path, before))
    assert candidate_of(settings).engine.chat_template == template


def test_a_compose_file_runs_the_release(tmp_path: Path) -> None:
    before = planned()
    name = promoted.write(tmp_path, before)
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text(yaml.safe_dump({"config": {"tpuserve:target": TARGET, "tpuserve:release": name}}))
    service = yaml.safe_load(compose_files.files("prod", tmp_path)["compose.yaml"])["services"]["vllm"]
    engine = [word.replace("$$", "$") for word in service["entrypoint"]]
    assert engine[: len(before.release.engine_argv)] == list(before.release.engine_argv)


@pytest.mark.parametrize("key", DECIDED)
def test_a_key_that_the_release_decides_is_refused_beside_it(key: str, tmp_path: Path) -> None:
    value = {"phase": "tuned", "model": "gemma-4-26b-a4b-it", "accelerator": "v6e-4"}.get(
        key, DESCRIBED.get(key)
    )
    with pytest.raises(ValueError) as caught:
        promoting(tmp_path, "4f0c91ab", **{key: value})
    assert str(caught.value) == (
        f"{key} is set beside release 4f0c91ab, which decides it; remove {key}, or remove release to write a "
        "new one."
    )


def test_what_belongs_to_an_environment_may_stand_beside_a_release(tmp_path: Path) -> None:
    name = promoted.write(tmp_path, planned())
    origins = ["https://chat.example.com"]
    settings = promoting(tmp_path, name, replicas=2, allowed_origins=origins, authentication="none")
    assert plan(settings, "unused").release.name == name


def damaged(folder: Path) -> str:
    name = promoted.write(folder, planned())
    (folder / "releases" / f"{name}.json").write_text("{")
    return name


def renamed(folder: Path) -> str:
    name = promoted.write(folder, planned())
    (folder / "releases" / f"{name}.json").rename(folder / "releases" / "00000000.json")
    return "00000000"


def rejected(folder: Path) -> str:
    return promoted.write(folder, planned(), verdict={"state": "rejected", "sentence": "chat failed."})


def without_agent(folder: Path) -> str:
    name = promoted.write(folder, planned())
    next((folder / "releases" / "agents").iterdir()).unlink()
    return name


def with_wrong_agent(folder: Path) -> str:
    name = promoted.write(folder, planned())
    next((folder / "releases" / "agents").iterdir()).write_text(json.dumps({"agent/__init__.py": 1}))
    return name


REFUSED = (
    (
        lambda _: "4f0c91ab",
        "release is 4f0c91ab, and there is no file releases/4f0c91ab.json beside the stack",
    ),
    (damaged, "is not JSON; take it from the artifact bucket or from git again"),
    (renamed, "releases/00000000.json is the record of release "),
    (
        rejected,
        "was not accepted, so no stack may run it; name an accepted one, which `make releases` lists.",
    ),
    (without_agent, "and there is no file releases/agents/"),
    (with_wrong_agent, "does not hold the texts of an agent's files by their paths; promote it again."),
)


@pytest.mark.parametrize(("prepare", "sentence"), REFUSED)
def test_a_release_whose_files_are_not_good_is_refused(prepare: Any, sentence: str, tmp_path: Path) -> None:
    name = prepare(tmp_path)
    with pytest.raises(ValueError) as caught:
        promoting(tmp_path, name)
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


def test_eight_digits_are_a_name_and_no_number(tmp_path: Path) -> None:
    """Pulumi hands every value to the program as text, and `1234e567` is also a number."""
    for name in ("12345678", "1234e567"):
        with pytest.raises(ValueError, match=f"release is {name}, and there is no file"):
            promoting(tmp_path, name)


def test_a_foundation_refuses_the_key_itself(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.f.yaml").write_text(
        yaml.safe_dump(
            {
                "config": {
                    "tpuserve:target": {
                        "kind": "foundation",
                        "project": "a-project",
                        "region": "us-east5",
                        "environments": {"dev": "10.0.0.0/18"},
                    },
                    "tpuserve:release": "4f0c91ab",
                }
            }
        )
    )
    assert read("f", tmp_path).release == "4f0c91ab"
