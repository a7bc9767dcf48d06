"""Plan of a promoted release: byte for byte what was accepted, whatever phases and agent say today."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent import bundle
from config.promotion import agent_file
from config.settings import Settings
from config.stack_file import parse
from serving.deploy.release import EVERY_ADDRESS
from serving.engine.phases import PHASES
from stacks.plan import Plan, plan
from tests import promoted

TARGET: Mapping[str, Any] = {
    "kind": "gke",
    "project": "a-project",
    "zone": "us-east5-b",
    "capacity": {"kind": "spot"},
}
IMAGE = f"vllm/vllm-tpu:v0.32.0@sha256:{'a' * 64}"


def described() -> Plan:
    return plan(Settings.parse({"target": TARGET, "model_revision": "0" * 40, "image": IMAGE}), IMAGE)


def running(folder: Path, name: str, **changes: Any) -> Plan:
    values = {"target": TARGET, "release": name, **changes}
    settings = parse({f"tpuserve:{key}": value for key, value in values.items()}, (), folder)
    assert settings.image_name is not None
    return plan(settings, settings.image_name)


def change_phase_and_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    tuned = PHASES["tuned"]
    engine = {**tuned.engine, "max_num_seqs": 32, "logging_level": "DEBUG"}
    monkeypatch.setattr("serving.engine.phases.PHASES", {**PHASES, "tuned": replace(tuned, engine=engine)})
    files = {**bundle.files(), "agent/server/guard.py": "later = True\n"}
    monkeypatch.setattr(bundle, "files", lambda: files)


def test_a_promoted_release_is_byte_equal_whatever_changed_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = described()
    name = promoted.write(tmp_path, before)
    change_phase_and_agent(monkeypatch)
    assert described().release.name != name
    after = running(tmp_path, name)
    assert after.release == before.release and after.release.name == name
    assert json.dumps(after.release.argv(EVERY_ADDRESS)) == json.dumps(before.release.argv(EVERY_ADDRESS))
    assert after.environment == before.environment
    assert after.agent_files == before.agent_files
    assert after.fingerprint == before.fingerprint
    assert after.memory == before.memory and after.lifecycle == before.lifecycle
    assert {**after.record, "commit": None} == {**before.record, "commit": None}


def test_only_a_promoted_release_is_accepted_and_names_its_archive(tmp_path: Path) -> None:
    before = described()
    after = running(tmp_path, promoted.write(tmp_path, before))
    assert (before.accepted, before.archive) == (False, None)
    assert after.accepted and after.archive is not None
    assert after.archive.model_dump() == promoted.ARCHIVE


def test_an_environment_keeps_its_own_variables(tmp_path: Path) -> None:
    before = described()
    origins = ["https://chat.example.com"]
    after = running(
        tmp_path, promoted.write(tmp_path, before), allowed_origins=origins, authentication="none"
    )
    assert after.release == before.release
    changed = dict(after.environment.items() ^ before.environment.items())
    assert changed.keys() == {"TPUSERVE_ALLOWED_ORIGINS", "TPUSERVE_API_KEY_FILE"}


def test_probes_allow_the_boot_that_the_release_was_accepted_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine's own timeout is in the recorded environment, and a faster estimate must not undercut it."""
    before = described()
    name = promoted.write(tmp_path, before)
    fast = replace(before.cold_start, parts=before.cold_start.parts[:1])
    assert fast.startup_budget_seconds < before.cold_start.startup_budget_seconds
    monkeypatch.setattr("stacks.plan.estimate", lambda _: fast)
    after = running(tmp_path, name)
    assert after.lifecycle.engine_ready_timeout_seconds == before.lifecycle.engine_ready_timeout_seconds
    assert after.lifecycle.startup_failure_threshold == before.lifecycle.startup_failure_threshold


def test_an_engine_that_todays_model_refuses_still_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rollback must not depend on an estimate: a server has shown that this release serves."""
    before = described()
    name = promoted.write(tmp_path, before)

    def refuse(_: object) -> None:
        raise AssertionError("the findings of a promoted engine were asked for")

    monkeypatch.setattr("config.selection.findings", refuse)
    assert running(tmp_path, name).release == before.release


def test_agent_files_with_another_digest_are_refused(tmp_path: Path) -> None:
    before = described()
    name, digest = promoted.write(tmp_path, before), before.release.agent_digest
    agent_file(digest, tmp_path).write_text(json.dumps({**before.agent_files, "agent/more.py": ""}))
    with pytest.raises(ValueError) as caught:
        running(tmp_path, name)
    assert str(caught.value).startswith(f"releases/agents/{digest}.json holds files with the digest ")
    assert str(caught.value).endswith(
        "it was changed after its release was accepted; take it from git or from the artifact bucket again."
    )
