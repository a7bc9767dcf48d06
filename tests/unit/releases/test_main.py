"""`python -m releases`: the commands from a command line to files, output and exit code."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from releases import __main__ as command
from tests.unit.releases.object_store import object_store
from tests.unit.releases.stacks import Memory, planned, write


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Memory]:
    """Yields the bucket of two stacks, which Google's own client reads."""
    write(tmp_path, "staging")
    write(tmp_path, "prod")
    made = Memory()
    made.accept(planned(tmp_path, "staging"))
    with object_store(made.name, made.objects) as url:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
        yield made


@pytest.fixture
def previews(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Returns the stacks that were previewed."""
    shown: list[str] = []
    monkeypatch.setattr(command, "preview", shown.append)
    return shown


def test_a_release_goes_from_stack_to_stack_and_is_listed(
    tmp_path: Path, bucket: Memory, previews: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    name = planned(tmp_path, "staging").release.name
    assert command.main(["promote", "--from", "staging", "--to", "prod"], tmp_path) == 0
    assert previews == ["prod"] and planned(tmp_path, "prod").release.name == name
    assert capsys.readouterr().err == (
        f"Release {name} of staging is in Pulumi.prod.yaml; commit this file and releases/.\n"
    )
    bucket.objects["releases/bad.json"] = b"{"
    assert command.main(["list", "--stack", "prod"], tmp_path) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines()[1].split()[0] == name and shown.out.splitlines()[1].endswith(" prod")
    assert shown.err.startswith("gs://a-project-tpuserve/releases/bad.json is not JSON; ")
    assert command.main(["show", "--stack", "staging", name], tmp_path) == 0
    assert json.loads(capsys.readouterr().out)["release"] == name


def test_two_releases_are_compared(
    tmp_path: Path, bucket: Memory, capsys: pytest.CaptureFixture[str]
) -> None:
    old = planned(tmp_path, "staging").release.name
    write(tmp_path, "staging", engine={"max_num_seqs": 32})
    new = bucket.accept(planned(tmp_path, "staging"))
    assert command.main(["diff", "--stack", "staging", old, new], tmp_path) == 0
    assert f"release: {old} -> {new}\n" in capsys.readouterr().out


def test_only_files_are_written_where_no_preview_is_wanted(
    tmp_path: Path, bucket: Memory, previews: list[str]
) -> None:
    words = ["promote", "--from", "staging", "--to", "prod", "--no-preview"]
    assert command.main(words, tmp_path) == 0 and previews == []
    assert planned(tmp_path, "prod").accepted


BAD = (
    (
        ["list", "--stack", "prd"],
        2,
        "stack 'prd' has no file Pulumi.prd.yaml: there are prod, staging; ",
    ),
    (
        ["show", "--stack", "prod", "00000000"],
        1,
        "Release 00000000 has no record in gs://a-project-tpuserve: na",
    ),
    (
        ["rollback", "--stack", "prod"],
        1,
        "Pulumi.prod.yaml names no release, so there is none to go back to: go",
    ),
    (
        ["promote", "--from", "staging", "--to", "prod", "--release", "00000000"],
        1,
        "Release 00000000 has no record in gs://a-project-tpuserve, because no server has accepted it: ",
    ),
)


@pytest.mark.parametrize(("words", "code", "sentence"), BAD)
def test_a_mistake_is_one_sentence(
    words: list[str],
    code: int,
    sentence: str,
    tmp_path: Path,
    bucket: Memory,
    previews: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command.main(words, tmp_path) == code and previews == []
    shown = capsys.readouterr()
    assert shown.err.startswith(sentence) and shown.err.count("\n") == 1 and shown.out == ""
