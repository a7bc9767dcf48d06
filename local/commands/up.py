"""`make up`: from a bare machine to an answer. Each stage repairs what an interrupted run left behind."""

import time
from collections.abc import Callable

from config.stack_file import read
from local import cluster, image
from local.cluster import constants
from local.commands import client, prepare, pulumi_stack
from tools.support import chat, host, paths
from tools.support.progress import Refusal, exclusive, say

PROMPT = "Say hello to the person who has just started you."
ANSWER_TOKENS = 12
"""Enough to see that it answers. Without a TPU each token takes about a quarter of a second."""

ANSWER_SECONDS = 60.0
"""Seconds in which the server may be out of reach before the first answer."""


def up() -> None:
    """Bring everything up, send one prompt through the Service, and print each stage's seconds."""
    host.require(_servers())
    stages: list[tuple[str, Callable[[], None]]] = [
        ("programs, packages, server environment", _prepare),
        ("cluster", _cluster),
        # The acceptance of the first server needs the key.
        ("API key", client.ensure_key),
        ("pulumi up", pulumi_stack.up),
        ("server", _server),
        ("first answer", _ask),
    ]
    seconds: list[tuple[str, float]] = []
    with exclusive("up"):
        for title, work in stages:
            began = time.monotonic()
            work()
            seconds.append((title, time.monotonic() - began))
    say("\nWhere the time went:")
    for title, spent in [*seconds, ("total", sum(spent for _, spent in seconds))]:
        say(f"  {title:<40}{spent:>8.1f} s")
    say("\nAsk more: make ask PROMPT='…'.  Look: make status, make logs, make why.  Stop: make down.")


def _servers() -> int:
    """Returns how many servers may run at once. Raises Refusal when the node has fewer slices, or when the
    stack's file has a mistake."""
    try:
        settings = read(pulumi_stack.STACK, paths.REPOSITORY)
    except ValueError as mistake:
        raise Refusal(str(mistake)) from None
    servers = settings.replicas + settings.rollout.surge
    if servers > constants.SLICES:
        stack, surge = f"Pulumi.{pulumi_stack.STACK}.yaml", settings.rollout.surge
        raise Refusal(
            f"replicas in {stack} is {settings.replicas} and rollout.surge {surge}, and the local node has "
            f"the chips of {constants.SLICES} slices, one for each server: their sum may be "
            f"{constants.SLICES}."
        )
    return servers


def _prepare() -> None:
    prepare.ensure("programs", "packages", "server")


def _cluster() -> None:
    cluster.start(environment=image.environment())
    cluster.import_image(image.archive())


def _server() -> None:
    client.wait_until_serving()
    client.wait_for_key()


def _ask() -> None:
    """Print an answer. Raises Refusal.

    After a crash of the cluster's programs, the Service may be without a server for a moment although one has
    just answered: readiness and addresses come back one after another.
    """
    say(f"> {PROMPT}")
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            for piece in client.server().ask(PROMPT, max_tokens=ANSWER_TOKENS):
                print(piece, end="", flush=True)
        except chat.Unreachable:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)
        else:
            print()
            return
