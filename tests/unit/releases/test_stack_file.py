"""Edits of a stack file: the release comes, what it decides goes, and every other byte stays."""

from pathlib import Path

import pytest

from releases.stack_file import replace, with_release
from tests.inventory.recorder import REPOSITORY
from tools.support.errors import Refusal

BEFORE = """\
# Production.
config:
  # Where it runs.
  tpuserve:target:
    kind: gke
    # Bought for a year.
    capacity: {kind: reservation, name: tpuserve-v6e}
  tpuserve:model: gemma-4-26b-a4b-it # the row
  # The engine.
  tpuserve:engine:
    max_num_seqs: 64

    extra_flags:
      chat_template: |
        {{ a }}
        # no comment

  # Two servers.
  tpuserve:replicas: 2
  other:key: "yes"
  tpuserve:phase: tuned
encryptionsalt: v1:abc
"""
AFTER = """\
# Production.
config:
  # Where it runs.
  tpuserve:target:
    kind: gke
    # Bought for a year.
    capacity: {kind: reservation, name: tpuserve-v6e}
  tpuserve:release: "12345678"
  # The engine.

  # Two servers.
  tpuserve:replicas: 2
  other:key: "yes"
encryptionsalt: v1:abc
"""


def test_a_release_replaces_what_it_decides_and_keeps_the_comments() -> None:
    assert with_release(BEFORE, "12345678", "Pulumi.prod.yaml") == AFTER


def test_the_next_release_changes_only_its_own_value() -> None:
    noted = AFTER.replace('"12345678"', '"12345678" # since Monday')
    assert with_release(noted, "4f0c91ab", "f") == noted.replace("12345678", "4f0c91ab")
    assert with_release(AFTER, "12345678", "f") == AFTER


def test_a_key_that_came_back_goes_again() -> None:
    assert (
        with_release(
            AFTER.replace("encryptionsalt", "  tpuserve:phase: peak\nencryptionsalt"), "12345678", "f"
        )
        == AFTER
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("config:\n  a:b: c", 'config:\n  a:b: c\n  tpuserve:release: "4f0c91ab"\n'),
        (
            "config:\n    a:b: [1,\n      2]\nx: y\n",
            'config:\n    a:b: [1,\n      2]\n    tpuserve:release: "4f0c91ab"\nx: y\n',
        ),
        ("config:\n  tpuserve:scenario:\n  a:b: c\n", 'config:\n  tpuserve:release: "4f0c91ab"\n  a:b: c\n'),
        ("config:\n  tpuserve:engine: {}\n", 'config:\n  tpuserve:release: "4f0c91ab"\n'),
    ],
)  # fmt: skip
def test_other_forms_of_a_block(before: str, after: str) -> None:
    assert with_release(before, "4f0c91ab", "f") == after


@pytest.mark.parametrize("name", ["prod", "staging", "dev"])
def test_delivered_files_lose_only_their_lines(name: str) -> None:
    text = (REPOSITORY / f"Pulumi.{name}.yaml").read_text("utf-8")
    edited = with_release(text, "4f0c91ab", name).splitlines()
    gone = [line for line in text.splitlines() if line not in edited]
    assert [line.split(":")[1] for line in gone] == ["model", "model_revision", "phase", "image"]
    assert [line for line in edited if line not in text.splitlines()] == ['  tpuserve:release: "4f0c91ab"']


@pytest.mark.parametrize(
    "text", ["config: {a: b}\n", "a: b\n", "[]\n", "config:\n  a: &x b\n  tpuserve:phase: *x\n"]
)
def test_a_file_of_another_form_is_refused_or_right(text: str) -> None:
    try:
        edited = with_release(text, "4f0c91ab", "Pulumi.x.yaml")
    except Refusal as refusal:
        assert str(refusal) == (
            "Pulumi.x.yaml is written in a form that cannot be edited line by line: write `config:` with one "
            "key a line, as in the delivered stack files."
        )
    else:
        assert edited == 'config:\n  a: &x b\n  tpuserve:release: "4f0c91ab"\n'


def test_a_written_file_keeps_its_mode_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.x.yaml"
    file.write_text("old")
    file.chmod(0o640)
    (tmp_path / ".Pulumi.x.yaml.new").write_text("of a run that died")
    replace(file, "new")
    assert file.read_text() == "new" and file.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [file]
