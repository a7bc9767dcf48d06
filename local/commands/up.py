"""`make up`: from a bare machine to an answer. Each stage repairs what an interrupted run left behind."""

import os
import shutil
import time
from collections.abc import Callable

from local import cluster, image
from local.commands import client, prepare, pulumi_stack
from serving.deploy import container_layout
from serving.messages.units import MIB
from tools.support import host, paths
from tools.support.progress import exclusive, say

CACHE_ROOM = 16 * MIB
"""Bytes that the tiny model's programs take in the compile cache, several times over."""

PROMPT = "Say hello to the person who has just started you."


def up() -> None:
    """Bring everything up, send one prompt through the Service, and print each stage's seconds."""
    host.require()
    stages: list[tuple[str, Callable[[], None]]] = [
        ("programs, packages, server environment", _prepare),
        ("cluster", _cluster),
        ("pulumi up", pulumi_stack.up),
        ("server", client.wait_until_serving),
        ("API key", _key),
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
    say("\nAsk more: make ask PROMPT='…'.  Look: make status, make logs.  Stop: make down.")


def _prepare() -> None:
    prepare.ensure("programs", "packages", "server")


def _cluster() -> None:
    cache = paths.node_data() / "compile-cache"
    cache.mkdir(parents=True, exist_ok=True)
    os.chown(cache, container_layout.USER, container_layout.USER)
    if shutil.disk_usage(cache).free < CACHE_ROOM:
        say(
            f"   The compile cache's folder {cache} is full: the server runs, but every boot compiles all "
            "its programs again. Free some disk there, or set TPUSERVE_CACHE to a larger one."
        )
    cluster.start(environment=image.environment())
    cluster.import_image(image.archive())


def _key() -> None:
    if client.key() is None:
        client.set_key()
    client.wait_for_key()


def _ask() -> None:
    say(f"> {PROMPT}")
    for piece in client.ask(PROMPT, max_tokens=24):
        print(piece, end="", flush=True)
    print()
