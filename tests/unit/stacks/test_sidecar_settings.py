"""The settings of a server's sidecar follow from its stack and its plan."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent.sidecar import settings as sidecar
from config.settings import Settings
from serving.deploy.acceptance_checks import WITHOUT
from stacks import sidecar_settings
from stacks.plan import Plan, plan

SECRET = "projects/a-project/secrets/tpuserve-api-key-mine"
IMAGE = f"vllm/vllm-tpu:v0.32.0@sha256:{'a' * 64}"
GOOD = {
    "target": {"kind": "gke", "project": "a-project", "zone": "us-east5-b", "capacity": {"kind": "spot"}},
    "model_revision": "0" * 40,
    "image": IMAGE,
}


def made(**changes: Any) -> tuple[Settings, Plan]:
    settings = Settings.parse({**GOOD, **changes})
    return settings, plan(settings, IMAGE)


def test_the_ladder_fits_the_engine() -> None:
    settings, planned = made(engine={"max_num_seqs": 4, "max_model_len": 1024})
    acceptance: Any = sidecar_settings.sidecar_settings(settings, planned, "b", None, None)["acceptance"]
    assert acceptance["ladder"] == {"concurrency": [1, 4], "prompt_tokens": 512, "output_tokens": 64}
    assert acceptance["deadline_seconds"] == planned.lifecycle.acceptance_seconds


def test_the_store_is_named_by_release_slice_and_fingerprint() -> None:
    settings, planned = made()
    content: Any = sidecar_settings.sidecar_settings(settings, planned, "b", "c" * 40, SECRET)
    assert content["store"] == {
        "bucket": "b",
        "archive": f"xla/{planned.fingerprint.digest}.tar",
        "sha256": None,
        "baked": None,
        "publish": True,
        "baseline": "baselines/v6e-4/gemma-4-26b-a4b-it.json",
        "record": f"releases/{planned.release.name}.json",
        "agent": f"agents/{planned.release.agent_digest}.json",
    }
    assert content["record"]["argv"] == list(planned.release.argv("0.0.0.0"))
    assert content["record"]["commit"] == "c" * 40
    assert content["api_key_secret"] == SECRET
    assert sidecar_settings.sidecar_settings(settings, planned, None, None, None)["store"] is None


@pytest.mark.parametrize(
    ("changes", "other"),
    [
        ({}, False),
        ({"replicas": 3}, False),
        ({"acceptance": {"tolerance": 0.2}}, True),
        ({"acceptance": {"off": ["chat"]}}, True),
        ({"authentication": "none"}, True),
        ({"engine": {"max_num_seqs": 64}}, True),
    ],
)
def test_the_digest_changes_with_the_settings_only(changes: dict[str, Any], other: bool) -> None:
    assert (sidecar_settings.digest(*made(**changes)) != sidecar_settings.digest(*made())) == other


def test_the_text_is_json() -> None:
    content = sidecar_settings.sidecar_settings(*made(), "b", None, None)
    assert json.loads(sidecar_settings.text(content)) == content


def test_the_commit_is_this_repository_s() -> None:
    found = sidecar_settings.commit()
    assert found is None or len(found) == 40


@pytest.mark.parametrize("bucket", ["b", None])
@pytest.mark.parametrize(
    "acceptance",
    [
        {},
        {"off": sorted(WITHOUT)},
        {"prompts": [{"prompt": "What is the capital of France?", "expect": ["Paris"]}]},
        {"limits": {"time_to_first_token_ms": 350}},
    ],
    ids=["defaults", "off", "prompts", "limits"],
)
def test_the_sidecar_reads_what_the_program_writes(
    tmp_path: Path, bucket: str | None, acceptance: dict[str, Any]
) -> None:
    content = sidecar_settings.sidecar_settings(*made(acceptance=acceptance), bucket, "c" * 40, SECRET)
    file = tmp_path / "sidecar.json"
    file.write_text(sidecar_settings.text(content))
    assert json.loads(sidecar.read(file).model_dump_json()) == content


def test_every_check_of_the_sidecar_can_be_switched_off() -> None:
    assert {*WITHOUT} == {*sidecar.CHECK_NAMES}
