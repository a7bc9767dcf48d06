"""The stack files of the pretended Google Cloud survive a run that is cut off."""

import os
from pathlib import Path

import pytest
import yaml

from tools.fake_gcp import preview_backend
from tools.fake_gcp.preview_backend import Pretended
from tools.support import paths

SALT = {"encryptionsalt": "v1:canary"}
CONFIG = {"tpuserve:target": {"kind": "gke"}}


@pytest.fixture
def pretended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pretended:
    """A project with one stack, and a CLI that makes a stack's file as Pulumi's does."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "Pulumi.yaml").touch()
    (project / "Pulumi.dev.yaml").write_text(yaml.safe_dump({"config": CONFIG}))
    monkeypatch.setattr(paths, "REPOSITORY", project)

    def pulumi(self: Pretended, *words: str, folder: Path, given: str = "") -> str:
        (folder / "Pulumi.dev.yaml").write_text(yaml.safe_dump(SALT))
        return ""

    monkeypatch.setattr(Pretended, "pulumi", pulumi)
    return Pretended(tmp_path / "pretended")


def test_the_copy_has_its_own_salt_and_todays_configuration(pretended: Pretended) -> None:
    file = pretended.stack_file("dev")
    assert yaml.safe_load(file.read_text()) == {**SALT, "config": CONFIG}
    assert file.parent == pretended.folder / "project"


def test_a_write_that_is_cut_off_leaves_the_file_as_it_was(
    pretended: Pretended, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = pretended.stack_file("dev")
    before = file.read_text()
    older = before + "# of an older configuration\n"
    file.write_text(older)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError):
            pretended.stack_file("dev")
    assert file.read_text() == older
    assert pretended.stack_file("dev").read_text() == before


def test_a_file_that_an_older_run_left_empty_is_filled_again(pretended: Pretended) -> None:
    pretended.stack_file("dev").write_text("")
    assert yaml.safe_load(pretended.stack_file("dev").read_text()) == {"config": CONFIG}


def test_a_foundation_is_deployed_under_nobodys_project_and_keeps_its_own(
    pretended: Pretended, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"config": {"tpuserve:target": {"project": "mine"}}}
    (paths.REPOSITORY / "Pulumi.dev.yaml").write_text(yaml.safe_dump(given))
    file = pretended.stack_file("dev")
    seen: list[str] = []
    monkeypatch.setattr(preview_backend.progress, "run", lambda *_, **__: seen.append(file.read_text()))
    monkeypatch.setattr(Pretended, "environment", lambda self: {})
    monkeypatch.setattr(Pretended, "pulumi", lambda self, *_, **__: "")
    preview_backend._deploy(pretended, "dev")
    assert preview_backend.NOBODY in seen[0] and "mine" not in seen[0]
    assert yaml.safe_load(file.read_text())["config"] == given["config"]
