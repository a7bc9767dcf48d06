"""The workflows as GitHub would read them: actionlint, with shellcheck over their scripts."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools import toolchain
from tools.support import paths

WORKFLOWS = paths.REPOSITORY / ".github" / "workflows"
WRONG = (
    ("ubuntu-24.04", "ubuntu-24.40", 'label "ubuntu-24.40" is unknown'),
    ("needs: foundation", "needs: fundation", 'needs job "fundation" which does not exist'),
    ("stack: staging", "stak: staging", 'input "stak" is not defined'),
    ('>> "$GITHUB_STEP_SUMMARY"', ">> $GITHUB_STEP_SUMMARY", "SC2086"),
    ("steps.report.outputs.found", "steps.raport.outputs.found", 'property "raport" is not defined'),
    ("issues: write", "isues: write", 'unknown permission scope "isues"'),
)


def lint(folder: Path) -> list[str]:
    """Returns one line for each problem in the workflows of a repository."""
    toolchain.ensure("actionlint")
    shellcheck = Path(sys.executable).with_name("shellcheck")
    words = [toolchain.path("actionlint"), "-oneline", "-no-color", "-shellcheck", shellcheck]
    files = sorted((folder / ".github" / "workflows").glob("*.yml"))
    done = subprocess.run(
        [*words, *files], cwd=folder, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == int(bool(done.stdout)), done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Returns a repository with only the workflows."""
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    for file in WORKFLOWS.glob("*.yml"):
        (folder / file.name).write_text(file.read_text("utf-8"), "utf-8")
    (tmp_path / ".git").mkdir()
    return tmp_path


def test_nothing_is_wrong_with_the_workflows() -> None:
    assert lint(paths.REPOSITORY) == []


@pytest.mark.parametrize(("right", "wrong", "said"), WRONG, ids=[row[1] for row in WRONG])
def test_a_mistake_would_be_found(copied: Path, right: str, wrong: str, said: str) -> None:
    changed = 0
    for file in (copied / ".github" / "workflows").glob("*.yml"):
        text = file.read_text("utf-8")
        changed += right in text
        file.write_text(text.replace(right, wrong), "utf-8")
    assert changed
    found = lint(copied)
    assert found and any(said in line for line in found), found
