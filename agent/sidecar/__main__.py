"""`python3 -m agent.sidecar --server http://127.0.0.1:8000 --settings FILE`: see `agent.sidecar`."""

import argparse
import asyncio
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from prometheus_client import CONTENT_TYPE_LATEST

from agent.sidecar import metrics, settings, web
from agent.sidecar.key_age import KeyAge
from agent.sidecar.lifecycle import Lifecycle, Rejected


def _end(number: int, frame: FrameType | None) -> None:
    os._exit(0)


def main() -> None:
    """Runs until SIGTERM, which ends the process at once: every file and object is written whole or not."""
    parser = argparse.ArgumentParser(prog="python3 -m agent.sidecar")
    parser.add_argument("--server", required=True, help="address of the server, as in http://127.0.0.1:8000")
    parser.add_argument("--settings", required=True, type=Path, help="file of the sidecar's settings")
    parser.add_argument("--address", default="0.0.0.0", help="address on which /metrics is served")
    parser.add_argument("--port", default=8001, type=int, help="port of /metrics and /acceptance")
    parser.add_argument(
        "--last-words",
        type=Path,
        help="file for the sentence of a rejection, with which the process ends once",
    )
    words = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        chosen = settings.read(words.settings)
    except settings.SettingsProblem as problem:
        sys.exit(str(problem))
    lifecycle = Lifecycle(chosen, words.server, words.last_words)
    waiting = lifecycle.without_checks("waiting", "The acceptance has not begun.")

    def acceptance() -> web.Answer:
        verdict = lifecycle.verdicts.read() or waiting
        return web.Answer("application/json", (verdict.model_dump_json(indent=1) + "\n").encode())

    def ready() -> web.Answer:
        """Answers by the verdict, as the server's own `/ready` does.

        The error of `pulumi up` has the last words only of containers that are not ready.
        """
        verdict = lifecycle.verdicts.read() or waiting
        status = 200 if verdict.state == "accepted" else 503
        return web.Answer(web.TEXT, f"{verdict.sentence}\n".encode(), status)

    key = None if chosen.api_key_secret is None else KeyAge(chosen.api_key_secret)
    if key is not None:
        threading.Thread(target=key.keep_reading, name="key-age", daemon=True).start()
    collector = metrics.SidecarMetrics(chosen, lifecycle, key)
    pages: dict[str, web.Page] = {
        "/metrics": lambda: web.Answer(CONTENT_TYPE_LATEST, metrics.page(collector)),
        "/acceptance": acceptance,
        "/ready": ready,
    }
    try:
        web.start(words.address, words.port, pages)
    except OSError as problem:
        sys.exit(f"{words.address}:{words.port} cannot be used ({problem.strerror}); choose another --port.")
    try:
        asyncio.run(lifecycle.forever())
    except Rejected:
        sys.exit(1)
    except OSError as problem:
        sys.exit(f"{chosen.status_folder} cannot be used ({problem.strerror}); make it writable.")


if __name__ == "__main__":
    main()
