"""Child processes of the language host: an interrupted program, and a policy pack in its own environment."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.pulumi.small_project import COMPONENT, Project, new_project
from tests.signals import ordinary
from tools.support import paths

SECONDS = 300
"""Limit for a failure, well below the 600 s after which the programs end by themselves."""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return new_project(tmp_path)


@pytest.mark.parametrize(
    ("number", "whom"), [(signal.SIGINT, "group"), (signal.SIGTERM, "cli"), (signal.SIGKILL, "cli")]
)
def test_an_interrupted_run_leaves_no_process_and_no_traceback(
    project: Project, number: signal.Signals, whom: str
) -> None:
    project.program(
        "import os, pathlib, subprocess, time\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        "pathlib.Path('pids').write_text(f'{os.getpid()} {os.getppid()} {child.pid}')\n"
        "time.sleep(600)\n",
    )
    with ordinary():
        cli = subprocess.Popen(
            ["pulumi", "preview", "--non-interactive"],
            cwd=project.folder,
            env=project.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    _until(
        lambda: (
            (project.folder / "pids").exists()
            and (project.folder / "pids").read_text("utf-8").count(" ") == 2
        )
    )
    pids = [int(word) for word in (project.folder / "pids").read_text("utf-8").split()]
    assert all(_runs(pid) for pid in pids)
    if whom == "group":
        os.killpg(cli.pid, number)
    else:
        os.kill(cli.pid, number)
    shown, _ = cli.communicate(timeout=SECONDS)
    _until(lambda: not any(_runs(pid) for pid in pids))
    assert "Traceback" not in shown and "KeyboardInterrupt" not in shown, shown


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


RULE = """
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy


def small(args, report):
    if args.resource_type == "tiny:index:Box" and args.props["size"] > 2:
        report(f"size is {args.props['size']:.0f}; at most 2 fit")


PolicyPack(
    "tiny-rules",
    policies=[
        ResourceValidationPolicy(
            name="small-boxes",
            description="Boxes are small.",
            enforcement_level=EnforcementLevel.MANDATORY,
            validate=small,
        )
    ],
)
"""


def test_a_policy_pack_is_installed_and_judges(project: Project, tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "__main__.py").write_text(RULE, "utf-8")
    shutil.copy(paths.REPOSITORY / "requirements" / "policy.txt", pack / "requirements.txt")
    (pack / "PulumiPolicy.yaml").write_text(
        yaml.safe_dump({"runtime": {"name": "python", "options": {"virtualenv": "venv"}}}), "utf-8"
    )
    installed = project.pulumi("install", folder=pack)
    assert f"Creating the virtual environment {pack / 'venv'}" in installed
    assert "Successfully installed" in installed and "pulumi-policy-" in installed

    project.program(COMPONENT)
    refused = project.pulumi("preview", "--policy-pack", str(pack), fails=True)
    assert "[mandatory]  small-boxes" in refused and "size is 3; at most 2 fit" in refused

    project.program(COMPONENT.replace('Box("box", 3)', 'Box("box", 2)'))
    assert "tiny-rules" in project.pulumi("preview", "--policy-pack", str(pack))
    _until(
        lambda: (
            not [file for file in Path("/proc").glob("[0-9]*/cmdline") if str(pack).encode() in _words(file)]
        )
    )


def _words(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
