"""Rollouts that failed: `pulumi up` ends with the sentence that `make why` gives.

Pulumi's provider reports only what the ordinary containers of a pod say. It is silent about an image that an
init container waits for, a volume that cannot be mounted, or a node that does not come. And it was seen to
call a rollout complete after the first new server when the number of servers changed with the template: it
compares the new ReplicaSet's ready pods with the size that it has so far.
"""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi

SECONDS = 60
"""Most time that the diagnosis may take; it asks the API server a few times."""
UNFINISHED = 3
"""Exit code of `operate rollout` when servers were still to be replaced at the end of its time. 1 and 2 say
that the cluster could not be asked."""


def hooks(stack: str, seconds: int) -> pulumi.ResourceHookBinding:
    """Returns the hooks of the server's Deployment, whose rollout may take `seconds`.

    One names the cause when the provider reports a failure. The other waits for the rest of a rollout that
    also changes the number of servers. None retries.
    """

    def failed(args: pulumi.ErrorHookArgs) -> bool:
        del args
        pulumi.log.error(sentence(stack))
        return False

    return pulumi.ResourceHookBinding(
        on_error=[pulumi.ErrorHook("failed-rollout", failed)],
        after_update=[
            pulumi.ResourceHook("unfinished-rollout", lambda args: await_servers(args, stack, seconds))
        ],
    )


def await_servers(update: pulumi.ResourceHookArgs, stack: str, seconds: int) -> None:
    """Waits for the rest of a rollout that also changed the number of servers. Raises RuntimeError."""
    if _servers(update.old_inputs) != _servers(update.new_inputs) and is_unfinished(stack, seconds):
        raise RuntimeError(sentence(stack))


def sentence(stack: str) -> str:
    """Returns the cause and the next command, or the command that names them."""
    done = _operate(("why", "--stack", stack), SECONDS)
    lines = [line for line in done.stdout.split("\n") if line.strip()] if done else []
    return (
        lines[-1]
        if lines
        else f"The servers did not get ready: `make why STACK={stack}` looks for the cause."
    )


def is_unfinished(stack: str, seconds: int) -> bool:
    """Waits for a rollout, and returns whether it was still going on after `seconds`.

    A cluster that cannot be asked says nothing against what the provider has seen.
    """
    done = _operate(("rollout", "--stack", stack, "--seconds", str(seconds)), seconds + SECONDS)
    return done is not None and done.returncode == UNFINISHED


def _servers(inputs: Mapping[str, Any] | None) -> Any:
    return (inputs or {}).get("spec", {}).get("replicas")


def _operate(words: tuple[str, ...], seconds: int) -> subprocess.CompletedProcess[str] | None:
    """Run a command of operate/ as a user does, because this layer does not import it; None if it hangs."""
    try:
        return subprocess.run(
            [sys.executable, "-m", "operate", *words],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
