"""The agent as it is shipped: programs, whatever their comments, docstrings and layout are."""

import ast
import contextlib
import io
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import agent_files, bundle, vm, weights_job
from agent.shipped_text import shipped_text

PROGRAM = '''
"""A module."""
# noqa: a comment
from __future__ import annotations

WIDTH = 7
"""A constant."""


class Named:
    """Only a docstring."""


class Other:
    """A docstring and more."""

    size: int = 3
    """An attribute."""

    def only_text(self):
        """Only a docstring."""

    async def later(self):
        "Only a docstring."


def show(name, value, *, last="it's"):
    """A function."""
    if value:
        "only a string"
    # A line for itself
    parts = [f"{name!r}: {value:>{WIDTH}.{2}f}", f"{{{name}}}", f'{", ".join([name, last])}']
    parts.append(f"no field {{}} \\n \\"" "and a part" f" {value=}")  # type: ignore
    parts.append("plain {} {{")
    return parts


print(show("a'\\"b", 1.5), Other().only_text(), Named.__name__, Other.size)
'''
SAME = (
    ("a comment", PROGRAM.replace("# A line for itself", "# Another line\n    # and one more")),
    ("no comment", PROGRAM.replace("    # A line for itself\n", "")),
    ("a docstring", PROGRAM.replace('"""A function."""', '"""Another\n\n    text."""')),
    ("layout", PROGRAM.replace("def show(name, value, *,", "def show(\n    name,\n    value,\n    *,\n   ")),
    ("quotes", PROGRAM.replace('"plain {} {{"', "'plain {} {{'")),
)
OTHER = (
    ("a string", PROGRAM.replace("plain {} {{", "plain")),
    ("a number", PROGRAM.replace("WIDTH = 7", "WIDTH = 8")),
    ("a statement", PROGRAM.replace('    """A function."""', "    value += 1")),
)


def shipped(folder: Path, program: str) -> str:
    file = folder / f"program_{abs(hash(program))}.py"
    file.write_text(program, "utf-8")
    return shipped_text(file)


def printed(program: str) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(program, "program", "exec"), {"__name__": "program"})
    return out.getvalue()


def test_the_shipped_program_does_the_same_and_has_no_comment(tmp_path: Path) -> None:
    text = shipped(tmp_path, PROGRAM)
    assert printed(text) == printed(PROGRAM) != ""
    assert "#" not in text and '"""' not in text
    assert not any(word in text for word in ("Only", "A function", "A constant", "only a string"))


@pytest.mark.parametrize("program", [row[1] for row in SAME], ids=[row[0] for row in SAME])
def test_an_edit_that_changes_no_program_ships_the_same(tmp_path: Path, program: str) -> None:
    assert program != PROGRAM
    assert shipped(tmp_path, program) == shipped(tmp_path, PROGRAM)


@pytest.mark.parametrize("program", [row[1] for row in OTHER], ids=[row[0] for row in OTHER])
def test_an_edit_of_the_program_ships_another(tmp_path: Path, program: str) -> None:
    assert shipped(tmp_path, program) != shipped(tmp_path, PROGRAM)


def all_shipped() -> Iterator[tuple[str, str]]:
    for files in (bundle.files(), vm.files(), weights_job.files()):
        yield from ((path, text) for path, text in files.items() if path.endswith(".py"))


def test_python_3_10_reads_what_a_machine_gets() -> None:
    """`feature_version` does not know how 3.10 reads f-strings, so none may be left."""
    for path, text in vm.files().items():
        tree = ast.parse(text, path, feature_version=(3, 10))
        assert not any(isinstance(node, ast.JoinedStr) for node in ast.walk(tree)), path


def test_no_shipped_file_reads_its_own_text() -> None:
    for path, text in all_shipped():
        names = {
            getattr(node, "id", getattr(node, "attr", getattr(node, "name", None)))
            for node in ast.walk(ast.parse(text))
        }
        assert not names & {"__doc__", "inspect", "getsource", "linecache"}, path


def test_every_process_ships_the_same_text() -> None:
    """Sets and hashes of one process must not order anything."""
    program = (
        "import sys; from agent import agent_files, bundle; "
        "sys.stdout.write(agent_files.digest(bundle.files()))"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed},
            cwd=Path(bundle.__file__).parents[1],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert digests == {agent_files.digest(bundle.files())}


def test_a_machine_runs_what_is_shipped_to_it(tmp_path: Path) -> None:
    """Without the project: a module that is not shipped would be missed."""
    for path, text in vm.files().items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, "utf-8")
    modules = [
        path.removesuffix(".py").replace("/", ".") for path in vm.files() if not path.endswith("__main__.py")
    ]
    program = textwrap.dedent(f"""
        import importlib
        for name in {modules}:
            importlib.import_module(name.removesuffix(".__init__"))
    """)
    command = [sys.executable, "-S", "-c", program]
    subprocess.run(command, env={"PYTHONPATH": str(tmp_path)}, cwd=tmp_path, check=True, timeout=60)
