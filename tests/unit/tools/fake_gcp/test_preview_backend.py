"""The stack files of the fake Google Cloud survive a run that is cut off."""

import os
from pathlib import Path

import pytest
import yaml

from tools.fake_gcp import preview_backend
from tools.fake_gcp.preview_backend import FakeCloud
from tools.support import paths

SALT = {"encryptionsalt": "v1:canary"}
CONFIG = {"tpuserve:target": {"kind": "gke"}}


@pytest.fixture
def fake_cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCloud:
    """A project with one stack, and a CLI that makes a stack's file as Pulumi's does."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "Pulumi.yaml").touch()
    (project / "Pulumi.dev.yaml").write_text(yaml.safe_dump({"config": CONFIG}))
    monkeypatch.setattr(paths, "REPOSITORY", project)

    def pulumi(self: FakeCloud, *words: str, folder: Path, given: str = "") -> str:
        (folder / "Pulumi.dev.yaml").write_text(yaml.safe_dump(SALT))
        return ""

    monkeypatch.setattr(FakeCloud, "pulumi", pulumi)
    return FakeCloud(tmp_path / "cloud")


def test_the_copy_has_its_own_salt_and_todays_configuration(fake_cloud: FakeCloud) -> None:
    file = fake_cloud.stack_file("dev")
    assert yaml.safe_load(file.read_text()) == {**SALT, "config": CONFIG}
    assert file.parent == fake_cloud.folder / "project"


def test_a_write_that_is_cut_off_leaves_the_file_as_it_was(
    fake_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = fake_cloud.stack_file("dev")
    before = file.read_text()
    older = before + "# of an older configuration\n"
    file.write_text(older)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError):
            fake_cloud.stack_file("dev")
    assert file.read_text() == older
    assert fake_cloud.stack_file("dev").read_text() == before


def test_a_file_that_an_older_run_left_empty_is_filled_again(fake_cloud: FakeCloud) -> None:
    fake_cloud.stack_file("dev").write_text("")
    assert yaml.safe_load(fake_cloud.stack_file("dev").read_text()) == {"config": CONFIG}


def test_a_foundation_is_deployed_under_nobodys_project_and_keeps_its_own(
    fake_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"config": {"tpuserve:target": {"project": "mine"}}}
    (paths.REPOSITORY / "Pulumi.dev.yaml").write_text(yaml.safe_dump(given))
    file = fake_cloud.stack_file("dev")
    seen: list[str] = []
    monkeypatch.setattr(preview_backend.progress, "run", lambda *_, **__: seen.append(file.read_text()))
    monkeypatch.setattr(FakeCloud, "environment", lambda self: {})
    monkeypatch.setattr(FakeCloud, "pulumi", lambda self, *_, **__: "")
    preview_backend._deploy(fake_cloud, "dev")
    assert preview_backend.FAKE_PROJECT in seen[0] and "mine" not in seen[0]
    assert yaml.safe_load(file.read_text())["config"] == given["config"]
