"""Ordinary `pulumi` commands on the local stack: printed before they run, and repaired after a crash."""

import json
import os
import shlex
import subprocess
from pathlib import Path

from tools import toolchain
from tools.support import host, paths, subprocesses
from tools.support.progress import Refusal, say

STACK = "local"


def pulumi(*words: str, quiet: bool = False) -> None:
    """Run `pulumi` in the repository with its output visible, unless `quiet`. Raises Refusal when it
    fails."""
    if not quiet:
        say(f"$ pulumi {shlex.join(words)}")
    code = subprocesses.call(
        ["pulumi", *words],
        cwd=paths.REPOSITORY,
        env={**os.environ, **toolchain.pulumi_environment()},
        stdout=subprocess.DEVNULL if quiet else None,
    )
    if code != 0:
        raise Refusal(f"`pulumi {words[0]}` failed: fix the error in its message above and run it again.")


def up() -> None:
    """Bring the local stack to the state in Pulumi.local.yaml, whatever an earlier run left behind."""
    select()
    pulumi("up", "--stack", STACK, "--yes", "--skip-preview")


def require(stack: str) -> None:
    """Raises Refusal when the project has no such stack."""
    if not (paths.REPOSITORY / f"Pulumi.{stack}.yaml").exists():
        stacks = sorted(file.name.split(".")[1] for file in paths.REPOSITORY.glob("Pulumi.*.yaml"))
        raise Refusal(
            f"There is no stack {stack!r}: choose one of this project's stacks: {', '.join(stacks)}."
        )


def select(stack: str = STACK) -> None:
    """Create the stack if needed, and release it from a run that died. Raises Refusal."""
    require(stack)
    _state().mkdir(parents=True, exist_ok=True)
    pulumi("stack", "select", stack, "--create", quiet=True)
    for pid in _dead_locks(stack):
        say(f"   a run that died (pid {pid}) held the stack's lock; removing the lock")
        pulumi("cancel", "--stack", stack, "--yes")
    if _pending(stack):
        # The object being created has a fixed name: the next `up` takes it over if it exists.
        say("   a run that died was creating something; clearing its pending operations")
        pulumi("refresh", "--stack", stack, "--yes", "--skip-preview", "--clear-pending-creates")


def own_environment() -> dict[str, str] | None:
    """Returns the user's environment with the toolchain's CLI, without the local instance's variables.

    Returns None when nothing says where the states of the user's stacks are.
    """
    instance = toolchain.pulumi_environment()
    cli = {key: instance[key] for key in ("PATH", toolchain.CLONE_VARIABLE) if key in instance}
    variables = dict(os.environ)
    if variables.get("PULUMI_BACKEND_URL") == instance["PULUMI_BACKEND_URL"]:
        # The user ran `eval "$(make -s env)"` in this shell.
        variables = {key: value for key, value in variables.items() if instance.get(key) != value}
    home = Path(variables.get("PULUMI_HOME") or Path.home() / ".pulumi")
    has_backend = "PULUMI_BACKEND_URL" in variables or "PULUMI_ACCESS_TOKEN" in variables
    if not has_backend and not (home / "credentials.json").exists():
        return None
    return {**variables, "PATH": os.environ["PATH"], **cli}


def _state() -> Path:
    return Path(toolchain.pulumi_environment()["PULUMI_BACKEND_URL"].removeprefix("file://"))


def _pending(stack: str) -> bool:
    """Returns whether the state holds operations that never finished."""
    exported = subprocess.run(
        ["pulumi", "stack", "export", "--stack", stack],
        cwd=paths.REPOSITORY,
        env={**os.environ, **toolchain.pulumi_environment()},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    return bool(exported) and bool(json.loads(exported)["deployment"].get("pending_operations"))


def _dead_locks(stack: str) -> list[int]:
    """Returns the process ids in the stack's lock files that are not a running `pulumi` on this machine."""
    files = _state().glob(f".pulumi/locks/**/{stack}/*.json")
    pids = [int(json.loads(file.read_text("utf-8"))["pid"]) for file in files]
    return [pid for pid in pids if not host.alive(pid, "pulumi")]
