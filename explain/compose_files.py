"""The container stack of a stack's server as text, for a machine that somebody runs by hand."""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import yaml

from config.selection import from_stack
from config.stack_file import PREFIX
from serving.deploy import compose, release
from serving.startup import cold_start
from serving.startup.timeouts import lifecycle

COMPOSE, ENVIRONMENT = "compose.yaml", "vllm.env"


def files(stack: str, folder: Path) -> Mapping[str, str]:
    """Name -> text of what `docker compose up` needs beside weights, cache, agent and key.

    The same that a TPU VM's boot writes for `folder`/Pulumi.<stack>.yaml, except that a VM pulls the image
    through its foundation's mirror. Raises ValueError when the stack does not exist or names no image.
    """
    selection = from_stack(stack, folder)
    content = cast(
        dict[str, dict[str, object]], yaml.safe_load((folder / f"Pulumi.{stack}.yaml").read_text("utf-8"))
    )
    if selection.image is None:
        raise ValueError(
            f"stack {stack!r} names no image; set {PREFIX}image to one with its digest, such as "
            f"vllm/vllm-tpu:v0.32.0@sha256:…"
        )
    life = lifecycle(
        cold_start.estimate(selection.accelerator, selection.model, selection.engine, selection.proof),
        selection.longest_request_seconds,
    )
    made = release.release(
        engine=selection.engine,
        model=selection.model,
        accelerator=selection.accelerator,
        image=selection.image,
        lifecycle=life,
        # Names the release, of which these files say nothing.
        agent_digest="",
        require_api_key=content["config"].get(f"{PREFIX}authentication", "api-key") == "api-key",
    )
    return {
        COMPOSE: compose.compose(made, life),
        ENVIRONMENT: compose.env_file(dict(made.environment)),
    }
