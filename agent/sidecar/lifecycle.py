"""Life of the sidecar: it waits for a healthy server, accepts it, and writes the records of its release.

After a restart of the server it begins again.
"""

import asyncio
import logging
import time
from pathlib import Path

import httpx

from agent.sidecar import acceptance, publication
from agent.sidecar.client import CONNECT_SECONDS, Client
from agent.sidecar.records import Records
from agent.sidecar.settings import Settings
from agent.sidecar.verdict import ServerRestarted, State, Verdict, VerdictFile

POLL_SECONDS = 1.0
RECORDS_AGAIN_SECONDS = 60.0
"""Seconds between attempts to write what the bucket did not take."""

HEALTH_SECONDS = 10.0
READY_SECONDS = 2.0

logger = logging.getLogger(__name__)


class Rejected(Exception):
    """The server was rejected, and the process has to end once so that its last words are read."""


class Lifecycle:
    """Sidecar of the server at `address`. `records` is about the process that was accepted last.

    `last_words` is the file whose text Kubernetes shows after a container has ended: in the pod's status, and
    so in the error of `pulumi up`. A rejected server's sidecar writes its sentence there, ends, and keeps the
    verdict when it is started again.
    """

    def __init__(self, settings: Settings, address: str, last_words: Path | None = None) -> None:
        self._settings, self._address, self._last_words = settings, address, last_words
        self.verdicts = VerdictFile(settings.verdict_file)
        self.records = Records(settings)

    async def forever(self) -> None:
        """Gives each process of the server its verdict.

        Raises OSError when the status folder is no use, and Rejected after the last words.
        """
        while True:
            verdict = self.verdicts.read()
            # A sidecar that was restarted by itself keeps the verdict: the guard deletes it with its server.
            if verdict is None or verdict.finished is None or verdict.release != self.release:
                self.verdicts.begin(self.without_checks("waiting", "The server has not started yet."))
                await self._healthy()
                await asyncio.to_thread(publication.end_trial, self._settings)
                try:
                    verdict = await self._accept()
                except ServerRestarted:
                    logger.warning("The server was restarted during its acceptance, which begins again.")
                    continue
                logger.log(
                    logging.INFO if verdict.state == "accepted" else logging.ERROR, "%s", verdict.sentence
                )
                if self._last_words is not None and verdict.state == "rejected":
                    self._last_words.write_text(verdict.sentence, "utf-8")
                    raise Rejected
            self.records = Records(self._settings)
            await self._until_restart(verdict)

    def ready(self) -> bool:
        """Returns whether the server answers `/ready` with 200 within READY_SECONDS, as it does to probes."""
        try:
            answer = httpx.get(f"{self._address}/ready", timeout=READY_SECONDS, trust_env=False)
        except httpx.HTTPError:
            return False
        return answer.status_code == 200

    @property
    def release(self) -> str:
        """Returns the name of the release."""
        return self._settings.record.release

    def without_checks(self, state: State, sentence: str) -> Verdict:
        """Returns a verdict before the first check."""
        return Verdict(release=self.release, state=state, sentence=sentence)

    async def _healthy(self) -> None:
        """Waits for the server and its key. The deadline of a boot is that of the startup probe."""
        before = None
        async with httpx.AsyncClient(base_url=self._address, timeout=HEALTH_SECONDS, trust_env=False) as http:
            while (obstacle := await self._obstacle(http)) is not None:
                if obstacle != before:
                    logger.info("%s", obstacle)
                    self.verdicts.begin(self.without_checks("waiting", obstacle))
                before = obstacle
                await asyncio.sleep(POLL_SECONDS)

    async def _obstacle(self, http: httpx.AsyncClient) -> str | None:
        try:
            status = (await http.get("/health")).status_code
        except httpx.HTTPError:
            return "The server does not answer /health yet."
        if status != 200:
            return f"The server answers /health with HTTP {status}."
        file = self._settings.api_key_file
        if file is not None and _key(file) is None:
            return f"{file} has no API key, so the server admits nobody; write one, without a restart."
        return None

    async def _accept(self) -> Verdict:
        self.verdicts.begin(self.without_checks("running", "The acceptance has begun."))
        key = _key(self._settings.api_key_file) if self._settings.api_key_file else None
        # The acceptance has a deadline, so an answer needs none. No connection is used twice: uvicorn closes
        # an idle one after 5 s, and a request that meets this would look like a failure of the server.
        async with httpx.AsyncClient(
            base_url=self._address,
            headers={"authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
            trust_env=False,
        ) as http:
            client = Client(http, self._settings.server.model)
            verdict = await acceptance.accept(self._settings, client, self.verdicts.update)
        self.verdicts.update(verdict)
        return verdict

    async def _until_restart(self, verdict: Verdict) -> None:
        """Waits until the guard of the next server process deletes the verdict, and writes the records."""
        again = 0.0
        while self.verdicts.exists():
            if verdict.state == "accepted" and not self.records.complete() and time.monotonic() >= again:
                await asyncio.to_thread(self.records.write, verdict)
                again = time.monotonic() + RECORDS_AGAIN_SECONDS
            await asyncio.sleep(POLL_SECONDS)


def _key(file: Path) -> str | None:
    """Returns the first key in the file (agent/server/api_keys.py); None when it has none."""
    try:
        return next(iter(file.read_text("utf-8").split()), None)
    except (OSError, ValueError):
        return None
