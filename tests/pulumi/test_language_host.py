"""The real CLI with this project's language host: a stack's life, about, and programs that fail."""

import json
import platform
from pathlib import Path

import pytest

from tests.pulumi.small_project import COMPONENT, Project, new_project
from tools import toolchain


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return new_project(tmp_path)


def test_a_stack_lives_its_whole_life(project: Project) -> None:
    project.program(
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
    project.pulumi("config", "set", "plain", "seen")
    project.pulumi("config", "set", "--secret", "secret", "unseen")

    shown = project.pulumi("preview")
    assert "2 to create" in shown and "preview: true" in shown
    assert "said on stdout" in shown and "said on stderr" in shown
    assert "seen" in shown and "unseen" not in shown

    project.pulumi("up", "--yes", "--skip-preview")
    outputs = json.loads(project.pulumi("stack", "output", "--json", "--show-secrets"))
    assert outputs == {
        "where": ["tiny", "dev", "organization"],
        "preview": False,
        "plain": "seen",
        "secret": "unseen",
    }
    assert "unseen" not in "".join(file.read_text("utf-8") for file in _state_files(project))

    assert "2 unchanged" in project.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    assert "2 unchanged" in project.pulumi("refresh", "--yes", "--expect-no-changes")
    project.pulumi("stack", "graph", "graph.dot")
    assert "tiny:index:Box" in (project.folder / "graph.dot").read_text("utf-8")
    assert "2 deleted" in project.pulumi("destroy", "--yes", "--skip-preview")


def _state_files(project: Project) -> list[Path]:
    found = list((project.folder.parent / "backend").rglob("stacks/**/*.json"))
    assert found
    return found


def test_about_names_the_interpreter_and_what_is_installed(project: Project) -> None:
    project.program(COMPONENT)
    about = json.loads(project.pulumi("about", "--json"))
    assert about["runtime"] == {
        "language": "python",
        "executable": str(project.folder / ".venv" / "bin" / "python"),
        "version": platform.python_version(),
        "toolchain": "pip",
        "typechecker": "none",
    }
    dependencies = {entry["name"].replace("_", "-"): entry["version"] for entry in about["dependencies"]}
    assert dependencies["pulumi-kubernetes"] == toolchain.PROVIDER.version
    assert "grpcio" not in dependencies, "what another package brought is no dependency of the program"
    transitive = json.loads(project.pulumi("about", "--json", "--transitive"))["dependencies"]
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
def test_a_program_that_fails_is_reported_once_and_shortly(project: Project, name: str) -> None:
    text, sentences = BAD_PROGRAMS[name]
    project.program(text)
    shown = project.pulumi("preview", fails=True)
    errors = shown.partition("Diagnostics:")[2]
    for sentence in sentences:
        assert errors.count(sentence) == 1, shown
    assert "tools/toolchain" not in errors
    if name != "syntax":
        # Upstream's executor removes its own frames, except where the program has no frames of its own.
        assert "pulumi-language-python-exec" not in errors and "asyncio" not in errors


BAD_OPTIONS = {
    "no environment": (
        {"virtualenv": "nowhere"},
        "The virtual environment 'nowhere' that the runtime options name is not in {project}: "
        "run `pulumi install` there to create it.",
    ),
    "another toolchain": (
        {"virtualenv": ".venv", "toolchain": "poetry"},
        "The runtime option toolchain: 'poetry' is not supported by the language host of tools/toolchain",
    ),
    "unknown option": (
        {"virtualenv": ".venv", "virtalenv": "x"},
        "The runtime option virtalenv: 'x' is not supported by the language host of tools/toolchain",
    ),
}


@pytest.mark.parametrize("name", BAD_OPTIONS)
def test_unsupported_runtime_options_are_refused(project: Project, name: str) -> None:
    options, sentence = BAD_OPTIONS[name]
    project.program(COMPONENT)
    project.describe(options)
    shown = project.pulumi("preview", fails=True)
    assert sentence.format(project=project.folder) in shown.replace("\n", " ")
    assert "Traceback" not in shown


def test_a_typechecker_that_finds_something_stops_the_program(project: Project) -> None:
    project.describe({"virtualenv": ".venv", "typechecker": "pyright"})
    project.program(COMPONENT + "\nBox('another', 'large')\n")
    shown = project.pulumi("preview", fails=True)
    assert 'cannot be assigned to parameter "size"' in shown
    assert "pyright found errors in the program" in shown
    assert "to create" not in shown
