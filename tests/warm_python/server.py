"""Process that forks interpreters with loaded packages: FOLDER. Ends when its input does."""

import contextlib
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

SHARED = ("site-packages", "lib/python3")
"""Parts of the paths of installed packages and of the standard library."""


def main(folder: Path) -> int:
    """Serve; a forked interpreter returns from here too, with its program's exit code."""
    modules = folder / "modules"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))
        listener.listen()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        print("ready", flush=True)
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            if sys.stdin in ready:
                return 0
            connection, _ = listener.accept()
            _load(modules)
            if os.fork() == 0:
                break
            connection.close()
    with connection:
        _, outputs, _, _ = socket.recv_fds(connection, 1, 3)
        run = json.loads(connection.makefile().read())
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        program = os.fork()
        if program != 0:
            _, status = os.waitpid(program, 0)
            connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
            os._exit(0)
    try:
        return _become(run, outputs)
    finally:
        _remember(modules)


def _become(run: dict[str, Any], outputs: list[int]) -> int:
    """Go on as the interpreter that the client was asked to be; returns its exit code."""
    with contextlib.suppress(PermissionError, ProcessLookupError):  # The client is gone already.
        os.setpgid(0, run["group"])
    for number, descriptor in enumerate(outputs):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(run["folder"])
    os.environ.clear()
    os.environ.update(run["variables"])
    sys.argv = run["words"]
    program = Path(sys.argv[0])
    sys.path[0] = str(program if program.is_dir() else program.parent)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(write_through=True)  # type: ignore[union-attr]
    try:
        runpy.run_path(str(program), run_name="__main__")
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _remember(modules: Path) -> None:
    """Note what the program had imported from installed packages, for the interpreters after it."""
    # The SDKs' modules are lazy: reading any attribute of one that was not used would execute it.
    used = {name: module for name, module in list(sys.modules.items()) if type(module) is ModuleType}
    files = {name: getattr(module, "__file__", None) or "" for name, module in used.items()}
    shared = [name for name, file in files.items() if any(part in file for part in SHARED)]
    note = modules.with_name(f"{modules.name}.{os.getpid()}")
    note.write_text(json.dumps(shared), "utf-8")
    note.rename(modules)


def _load(modules: Path) -> None:
    if modules.exists():
        for name in json.loads(modules.read_text("utf-8")):
            with contextlib.suppress(Exception):  # The program imports it again, and fails by itself.
                # Reading an attribute executes a lazy one, before its parts are imported.
                hasattr(importlib.import_module(name), "__all__")
        modules.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
