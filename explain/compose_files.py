"""Compose files of a stack's server, for a machine that you manage yourself."""

from collections.abc import Mapping
from pathlib import Path

from config.selection import from_settings, release_of, serving_settings
from config.stack_text import PREFIX
from config.tpu_vm_checks import OUTSIDE_THE_CLUSTER
from serving.deploy import compose
from serving.deploy.access import access_environment
from serving.findings import refuse_errors

COMPOSE, ENVIRONMENT = "compose.yaml", "vllm.env"


def files(stack: str, folder: Path) -> Mapping[str, str]:
    """Returns the texts by name of the files that `docker compose up` needs beside weights, cache, agent and
    key.

    A TPU VM's boot writes the same files for `folder`/Pulumi.<stack>.yaml, except that a VM pulls the image
    through its foundation's mirror, and that a sidecar accepts its server. Here nothing does, so `/ready`
    answers as `/health`. Raises ValueError, one sentence per line, for everything that `pulumi
    preview` refuses, when the stack names no image, and for a collector of traces, which only a pod reaches.
    """
    settings = serving_settings(stack, folder)
    selection = from_settings(stack, settings)
    if settings.image_name is None:
        raise ValueError(
            f"stack {stack!r} names no image; set {PREFIX}image to one with its digest, such as "
            f"vllm/vllm-tpu:v0.32.0@sha256:…"
        )
    if selection.candidate.engine.otlp_traces_endpoint:
        raise ValueError(OUTSIDE_THE_CLUSTER)
    refuse_errors(selection.findings)
    server = release_of(
        settings,
        selection.candidate,
        image=settings.image_name,
        lifecycle=selection.lifecycle,
        # Part of the release's name, which is in neither file.
        agent_digest="",
    )
    access = access_environment(
        require_api_key=settings.authentication == "api-key", allowed_origins=settings.allowed_origins
    )
    environment = dict(server.environment)
    # Without it the guard (agent/server/readiness.py) waits for no verdict.
    del environment["TPUSERVE_VERDICT_FILE"]
    return {
        COMPOSE: compose.compose(server, selection.lifecycle, sidecar=False),
        ENVIRONMENT: compose.env_file({**environment, **access}),
    }
