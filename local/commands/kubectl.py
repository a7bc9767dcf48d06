"""The ordinary `kubectl`, always with this instance's kubeconfig and never with the user's current
context."""

import json
import subprocess
from typing import Any

from tools import toolchain
from tools.support import paths
from tools.support.progress import Refusal


def kubectl(*words: str, given: str | None = None) -> str:
    """Run kubectl and return its standard output; `given` is its standard input.

    Raises Refusal with kubectl's own last line when it fails.
    """
    command = [str(toolchain.path("kubectl")), "--kubeconfig", str(paths.kubeconfig()), *words]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
        raise Refusal(f"kubectl {words[0]} failed: {reason}. `make status` shows the cluster.")
    return done.stdout


def get(kind: str, name: str, namespace: str) -> dict[str, Any] | None:
    """Returns one object as a dictionary, or None when there is no such object. Raises Refusal."""
    text = kubectl("get", kind, name, "-n", namespace, "-o", "json", "--ignore-not-found")
    return json.loads(text) if text.strip() else None
