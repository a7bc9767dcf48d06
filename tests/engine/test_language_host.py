"""The real CLI with the project's own language host, on projects that need no provider."""

import json
import os
import platform
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from local import paths, toolchain

COMPONENT = """
import sys

import pulumi


class Box(pulumi.ComponentResource):
    def __init__(self, name: str, size: int) -> None:
        super().__init__("tiny:index:Box", name, {"size": size})
        self.register_outputs({"size": size})


Box("box", 3)
"""
type Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The toolchain's environment for `pulumi`, with a home and a backend of this test's own."""
    (tmp_path / "state").mkdir()
    laid = toolchain.pulumi_environment()
    if "PULUMI_HOME" not in laid:
        pytest.skip(f"{toolchain.path('pulumi')} is the machine's own and brings its own language host")
    laid |= {
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}",
    }
    return {**os.environ, **laid}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An empty project whose virtual environment is this repository's."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / ".venv").symlink_to(paths.REPOSITORY / ".venv")
    _describe(folder / "Pulumi.yaml", {"virtualenv": ".venv", "toolchain": "pip"})
    return folder


@pytest.fixture
def pulumi(project: Path, environment: dict[str, str]) -> Run:
    """Runs `pulumi WORDS`, expects its exit code to be `code`, and returns what it printed."""

    def run(*words: str, code: int | None = 0, folder: Path = project) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["pulumi", *words, "--non-interactive"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert code is None or done.returncode == code, done.stdout
        assert "pulumi-language-python from $PATH" not in done.stdout, (
            "the host is not where the CLI expects it"
        )
        return done

    run("stack", "init", "dev")
    return run


def _describe(file: Path, options: dict[str, Any]) -> None:
    file.write_text(
        yaml.safe_dump({"name": "tiny", "runtime": {"name": "python", "options": options}}), "utf-8"
    )


def _program(project: Path, text: str) -> None:
    (project / "__main__.py").write_text(text, "utf-8")


def test_a_stack_lives_its_whole_life(pulumi: Run, project: Path) -> None:
    _program(
        project,
        COMPONENT
        + """
config = pulumi.Config()
print("said on stdout")
print("said on stderr", file=sys.stderr)
pulumi.export("where", [pulumi.get_project(), pulumi.get_stack(), pulumi.get_organization()])
pulumi.export("preview", pulumi.runtime.is_dry_run())
pulumi.export("plain", config.require("plain"))
pulumi.export("secret", config.require_secret("secret"))
""",
    )
    pulumi("config", "set", "plain", "seen")
    pulumi("config", "set", "--secret", "secret", "unseen")

    shown = pulumi("preview").stdout
    assert "2 to create" in shown and "preview: true" in shown
    assert "said on stdout" in shown and "said on stderr" in shown
    assert "seen" in shown and "unseen" not in shown

    pulumi("up", "--yes", "--skip-preview")
    outputs = json.loads(pulumi("stack", "output", "--json", "--show-secrets").stdout)
    assert outputs == {
        "where": ["tiny", "dev", "organization"],
        "preview": False,
        "plain": "seen",
        "secret": "unseen",
    }
    assert "unseen" not in "".join(file.read_text("utf-8") for file in _state_files(project))

    assert "2 unchanged" in pulumi("up", "--yes", "--skip-preview", "--expect-no-changes").stdout
    assert "2 unchanged" in pulumi("refresh", "--yes", "--expect-no-changes").stdout
    pulumi("stack", "graph", "graph.dot")
    assert "tiny:index:Box" in (project / "graph.dot").read_text("utf-8")
    assert "2 deleted" in pulumi("destroy", "--yes", "--skip-preview").stdout


def _state_files(project: Path) -> list[Path]:
    found = list((project.parent / "state").rglob("stacks/**/*.json"))
    assert found
    return found


def test_about_names_the_interpreter_and_what_is_installed(pulumi: Run, project: Path) -> None:
    _program(project, COMPONENT)
    about = json.loads(pulumi("about", "--json").stdout)
    assert about["runtime"] == {
        "language": "python",
        "executable": str(project / ".venv" / "bin" / "python"),
        "version": platform.python_version(),
        "toolchain": "pip",
        "typechecker": "none",
    }
    dependencies = {entry["name"].replace("_", "-"): entry["version"] for entry in about["dependencies"]}
    assert dependencies["pulumi-kubernetes"] == toolchain.PROVIDER.version
    assert "grpcio" not in dependencies, "what another package brought is no dependency of the program"
    transitive = json.loads(pulumi("about", "--json", "--transitive").stdout)["dependencies"]
    assert {"grpcio", "pulumi"} <= {entry["name"] for entry in transitive}
    plugins = {entry["name"]: entry["version"] for entry in about["plugins"]}
    assert plugins["kubernetes"] == toolchain.PROVIDER.version


BAD_PROGRAMS = {
    "exception": (
        "def deep():\n    raise ValueError('the slice v6e-5 does not exist')\ndeep()\n",
        [
            "Program failed with an unhandled exception",
            "ValueError: the slice v6e-5 does not exist",
            "in deep",
        ],
    ),
    "RunError": (
        "import pulumi\nraise pulumi.RunError('phase tund does not exist')\n",
        ["error: phase tund does not exist"],
    ),
    "syntax": ("def\n", ["SyntaxError: invalid syntax"]),
    "exit code": ("import os\nos._exit(3)\n", ["Program exited with non-zero exit code: 3"]),
    "import": ("import no_such_module\n", ["No module named 'no_such_module'"]),
}


@pytest.mark.parametrize("name", BAD_PROGRAMS)
def test_a_program_that_fails_is_reported_once_and_shortly(pulumi: Run, project: Path, name: str) -> None:
    text, sentences = BAD_PROGRAMS[name]
    _program(project, text)
    shown = pulumi("preview", code=None)
    assert shown.returncode != 0
    errors = shown.stdout.partition("Diagnostics:")[2]
    for sentence in sentences:
        assert errors.count(sentence) == 1, shown.stdout
    assert "local/toolchain" not in errors
    if name != "syntax":
        # Upstream's executor cuts its own frames off, except where the program has none of its own.
        assert "pulumi-language-python-exec" not in errors and "asyncio" not in errors


BAD_OPTIONS = {
    "no environment": (
        {"virtualenv": "nowhere"},
        "The virtual environment 'nowhere' that the runtime options name is not in {project}: "
        "run `pulumi install` there to make it.",
    ),
    "another toolchain": (
        {"virtualenv": ".venv", "toolchain": "poetry"},
        "The runtime option toolchain: 'poetry' is not served by the language host of local/toolchain",
    ),
    "unknown option": (
        {"virtualenv": ".venv", "virtalenv": "x"},
        "The runtime option virtalenv: 'x' is not served by the language host of local/toolchain",
    ),
}


@pytest.mark.parametrize("name", BAD_OPTIONS)
def test_runtime_options_that_cannot_be_honoured_are_refused(pulumi: Run, project: Path, name: str) -> None:
    options, sentence = BAD_OPTIONS[name]
    _program(project, COMPONENT)
    _describe(project / "Pulumi.yaml", options)
    shown = pulumi("preview", code=None)
    assert shown.returncode != 0
    assert sentence.format(project=project) in shown.stdout.replace("\n", " ")
    assert "Traceback" not in shown.stdout


def test_a_typechecker_that_finds_something_stops_the_program(pulumi: Run, project: Path) -> None:
    _describe(project / "Pulumi.yaml", {"virtualenv": ".venv", "typechecker": "pyright"})
    _program(project, COMPONENT + "\nBox('another', 'large')\n")
    shown = pulumi("preview", code=None)
    assert shown.returncode != 0
    assert 'cannot be assigned to parameter "size"' in shown.stdout
    assert "pyright found errors in the program" in shown.stdout
    assert "to create" not in shown.stdout


@pytest.mark.parametrize(
    ("number", "whom"), [(signal.SIGINT, "group"), (signal.SIGTERM, "cli"), (signal.SIGKILL, "cli")]
)
def test_an_interrupted_run_leaves_no_process_and_no_traceback(
    pulumi: Run, project: Path, environment: dict[str, str], number: signal.Signals, whom: str
) -> None:
    _program(
        project,
        "import os, pathlib, subprocess, time\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        "pathlib.Path('pids').write_text(f'{os.getpid()} {os.getppid()} {child.pid}')\n"
        "time.sleep(600)\n",
    )
    cli = subprocess.Popen(
        ["pulumi", "preview", "--non-interactive"],
        cwd=project,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    _until(lambda: (project / "pids").exists() and (project / "pids").read_text("utf-8").count(" ") == 2, 120)
    pids = [int(word) for word in (project / "pids").read_text("utf-8").split()]
    assert all(_runs(pid) for pid in pids)
    if whom == "group":
        os.killpg(cli.pid, number)
    else:
        os.kill(cli.pid, number)
    shown, _ = cli.communicate(timeout=60)
    _until(lambda: not any(_runs(pid) for pid in pids), 30)
    assert "Traceback" not in shown and "KeyboardInterrupt" not in shown, shown


def _until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
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


def test_a_policy_pack_is_installed_and_judges(pulumi: Run, project: Path, tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "__main__.py").write_text(RULE, "utf-8")
    shutil.copy(paths.REPOSITORY / "requirements" / "policy.txt", pack / "requirements.txt")
    (pack / "PulumiPolicy.yaml").write_text(
        yaml.safe_dump({"runtime": {"name": "python", "options": {"virtualenv": "venv"}}}), "utf-8"
    )
    installed = pulumi("install", folder=pack).stdout
    assert f"Creating the virtual environment {pack / 'venv'}" in installed
    assert "Successfully installed" in installed and "pulumi-policy-" in installed

    _program(project, COMPONENT)
    refused = pulumi("preview", "--policy-pack", str(pack), code=None)
    assert refused.returncode != 0
    assert "[mandatory]  small-boxes" in refused.stdout and "size is 3; at most 2 fit" in refused.stdout

    _program(project, COMPONENT.replace('Box("box", 3)', 'Box("box", 2)'))
    assert "tiny-rules" in pulumi("preview", "--policy-pack", str(pack)).stdout
    assert not [file for file in Path("/proc").glob("[0-9]*/cmdline") if str(pack).encode() in _words(file)]


def _words(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
