"""The scripts of release.yml, run as GitHub runs them, with a stand-in for `make` and for `gh`."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.inventory.recorder import REPOSITORY

STACK_FILE = "config:\n  tpuserve:replicas: 2\n"
MAKE = """#!/bin/bash
echo "make $*" >> "$CALLS"
[[ $* == *venv* ]] && exit
mkdir -p releases && echo '{}' > releases/ab12cd34.json
echo "  tpuserve:release: ab12cd34" >> Pulumi.prod.yaml
echo "prod will run ab12cd34"
"""
REFUSED = "#!/bin/bash\necho 'staging has not accepted it' >&2; exit 1\n"
SAME = "#!/bin/bash\necho 'prod runs it'\n"
GH = """#!/bin/bash
echo "gh $*" >> "$CALLS"
[[ "$1 $2" == "pr list" ]] && cat "$OPEN"
exit 0
"""


@dataclass
class Runner:
    """A checkout of main, the repository that it came from, and the programs of the runner."""

    folder: Path

    def git(self, *words: str, within: str = "work") -> str:
        done = subprocess.run(
            ["git", *words], cwd=self.folder / within, capture_output=True, text=True, check=True
        )
        return done.stdout

    def program(self, name: str, text: str) -> None:
        file = self.folder / "bin" / name
        file.write_text(text, "utf-8")
        file.chmod(0o755)

    def run(self, change: str) -> int:
        """Runs the workflow's scripts; returns the code of the first that fails, or 0."""
        job = yaml.safe_load((REPOSITORY / ".github" / "workflows" / "release.yml").read_text("utf-8"))[
            "jobs"
        ]
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.folder),
            "CALLS": str(self.folder / "calls"),
            "OPEN": str(self.folder / "open"),
            "RUNNER_TEMP": str(self.folder / "temp"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            "CHANGE": change,
            "STACK": "prod",
            "FROM": "staging",
        }
        assert job["propose"]["defaults"] == {"run": {"shell": "bash"}}
        for step in job["propose"]["steps"]:
            if "run" in step:
                command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
                code = subprocess.run(
                    command, cwd=self.folder / "work", env=environment, check=False, timeout=60
                ).returncode
                if code:
                    return code
        return 0

    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text("utf-8").splitlines()


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    made = Runner(tmp_path)
    for name in ("work", "bin", "temp", "origin"):
        (tmp_path / name).mkdir()
    made.git("init", "-q", "--bare", within="origin")
    made.git("init", "-q", "-b", "main")
    (tmp_path / "work" / "Pulumi.prod.yaml").write_text(STACK_FILE, "utf-8")
    made.git("add", ".")
    made.git("-c", "user.name=n", "-c", "user.email=e@e", "commit", "-qm", "first")
    made.git("remote", "add", "origin", str(tmp_path / "origin"))
    (tmp_path / "open").write_text("", "utf-8")
    made.program("make", MAKE)
    made.program("gh", GH)
    return made


BRANCH = "release/prod-ab12cd34"


@pytest.mark.parametrize(
    ("change", "command"),
    [("promote", "make -s promote FROM=staging TO=prod"), ("rollback", "make -s rollback STACK=prod")],
)
def test_the_release_becomes_a_pull_request(runner: Runner, change: str, command: str) -> None:
    assert runner.run(change) == 0
    assert runner.calls()[1] == command
    [created] = [call for call in runner.calls() if call.startswith("gh pr create")]
    assert f"--base main --head {BRANCH} --title prod: {change} to release ab12cd34" in created
    pushed = runner.git("show", "--name-only", "--format=%s", BRANCH, within="origin")
    assert pushed.split("\n\n") == [
        f"prod: {change} to release ab12cd34",
        "Pulumi.prod.yaml\nreleases/ab12cd34.json\n",
    ]
    assert (runner.folder / "temp" / "body.md").read_text("utf-8") == "```\nprod will run ab12cd34\n\n```\n"


def test_a_pull_request_that_is_open_is_not_opened_again(runner: Runner) -> None:
    (runner.folder / "open").write_text("7\n", "utf-8")
    assert runner.run("promote") == 0
    assert not any("pr create" in call for call in runner.calls())
    assert runner.git("log", "--format=%s", BRANCH, within="origin").startswith("prod: promote")


def test_a_release_that_runs_already_is_not_proposed(runner: Runner) -> None:
    runner.program("make", SAME)
    assert runner.run("promote") == 0
    assert not (runner.folder / "calls").exists()
    assert runner.git("branch", "--all", within="origin") == ""
    assert (runner.folder / "summary").read_text("utf-8") == "prod runs this release already.\n"


def test_a_refused_promotion_fails_the_workflow(runner: Runner) -> None:
    runner.program("make", REFUSED)
    assert runner.run("promote") == 1
    assert runner.git("branch", "--all", within="origin") == ""
