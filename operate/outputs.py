"""Outputs of a deployed stack, from Pulumi's state."""

import json
import subprocess
from collections.abc import Mapping
from typing import Any

from local.commands import pulumi_stack
from tools import toolchain
from tools.support import paths
from tools.support.progress import Refusal

NO_STACK = "no stack named"
"""Part of the CLI's error for a stack that the backend does not have (pulumi 3.272)."""


def read(stack: str) -> Mapping[str, Any]:
    """Returns the outputs of a stack on Google Cloud.

    Raises Refusal when its state cannot be read or does not exist.
    """
    toolchain.ensure("pulumi")
    environment = pulumi_stack.own_environment()
    if environment is None:
        raise Refusal(
            f"Nothing says where the state of {stack} is: export PULUMI_BACKEND_URL=gs://BUCKET "
            "(docs/operations.md, step 2)."
        )
    done = subprocess.run(
        ["pulumi", "stack", "output", "--json", "--stack", stack],
        cwd=paths.REPOSITORY,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
        if NO_STACK in reason:
            raise not_up(stack)
        raise Refusal(
            f"Pulumi cannot read the state of {stack} ({reason}): fix that, or run `gcloud auth "
            "application-default login`."
        )
    return json.loads(done.stdout)


def required(stack: str, name: str) -> str:
    """Returns one output of a stack on Google Cloud. Raises Refusal as `read`, and when it has none."""
    value = read(stack).get(name)
    if value is None:
        raise not_up(stack)
    return value if isinstance(value, str) else json.dumps(value)


def not_up(stack: str) -> Refusal:
    """Returns the refusal for a stack that has no such output, or whose machines Google does not know."""
    return Refusal(
        f"STACK={stack} is not up, or was deployed by an older version: run `pulumi up -s {stack}`."
    )
