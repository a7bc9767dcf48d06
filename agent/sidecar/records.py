"""Objects in the bucket that an acceptance reads and leaves: baseline, compile cache, agent's files, record.

Every object is created once and never replaced. A bucket that does not answer stops no server: a baseline
that cannot be read is a warning, and what could not be written is tried again.
"""

import asyncio
import json
import logging
import time
from typing import Any, Literal

from pydantic import ValidationError

from agent import agent_files
from agent.sidecar import publication
from agent.sidecar.evidence import read_status
from agent.sidecar.settings import Settings
from agent.sidecar.verdict import Baseline, Verdict
from agent.store import gcs
from agent.store.gcp_api import Problem, Status

READ_SECONDS = 30.0
"""Seconds that the ladder waits for the baseline; the store's client tries for minutes."""

ARCHIVE_SECONDS = 900.0
"""Seconds after the acceptance in which the record waits for the publication of the compile cache."""

PASSING = ("busy", "failed")
"""Results of a publication after which another one may succeed."""

NOT_FOUND = 404

Result = Literal["written", "exists", "failed", "other"]
"""`other`: the files are not those that the release names, so they were not written."""

logger = logging.getLogger(__name__)


async def baseline(settings: Settings) -> tuple[Baseline | None, str | None]:
    """Returns the slice's baseline, or else why it could not be read; neither where none exists."""
    store = settings.store
    if store is None:
        return None, None
    name = f"gs://{store.bucket}/{store.baseline}"
    try:
        read = asyncio.to_thread(gcs.read, store.bucket, store.baseline)
        return Baseline.model_validate_json(await asyncio.wait_for(read, READ_SECONDS)), None
    except Status as status:
        why = None if status.code == NOT_FOUND else str(status)
    except TimeoutError:
        why = f"no answer in {READ_SECONDS:.0f} s"
    except Problem as problem:
        why = str(problem)
    except ValidationError as problem:
        first = problem.errors()[0]
        why = f"{'.'.join(map(str, first['loc'])) or 'the object'}: {first['msg']}"
    return None, why and f"The ladder was not compared: {name} cannot be read ({why})."


class Records:
    """Objects that one accepted server leaves, with the result of each, by the name of its kind."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.results: dict[str, Result] = {}

    def complete(self) -> bool:
        """Returns whether every object exists."""
        written = "record" in self.results and "failed" not in self.results.values()
        return written or self._settings.store is None

    def write(self, verdict: Verdict) -> None:
        """Publishes the compile cache, then writes what is missing of agent, record and baseline.

        The record waits for a publication that may succeed later: it names the archive, and stays as it is.
        """
        store = self._settings.store
        if store is None:
            return
        if self._publication() in (None, *PASSING):
            publication.publish(self._settings)
        accepted = {"accepted": verdict.finished, "verdict": verdict.model_dump(mode="json")}
        record = {**self._settings.record.model_dump(mode="json"), "archive": self._archive(), **accepted}
        # First, because another stack runs a recorded release only with its agent.
        self._write_agent(store.agent)
        patience = (verdict.finished or 0) + ARCHIVE_SECONDS - time.time()
        if self._publication() not in PASSING or patience < 0:
            self._create("record", store.record, record)
        if verdict.ladder and verdict.baseline is None:
            ladder = [cell.model_dump(mode="json") for cell in verdict.ladder]
            first = {"release": verdict.release, "accepted": verdict.finished, "ladder": ladder}
            self._create("baseline", store.baseline, first)

    def _publication(self) -> str | None:
        return read_status(self._settings.cache_publish_file).get("result")

    def _write_agent(self, name: str) -> None:
        """Writes the agent's files as the object `name`, if they are those of the release."""
        wanted = self._settings.record.agent
        try:
            files = agent_files.installed()
        except (OSError, UnicodeDecodeError) as problem:
            self.results["agent"] = "failed"
            logger.warning("The agent's files cannot be read (%s).", problem)
            return
        if (digest := agent_files.digest(files)) == wanted:
            self._create("agent", name, files)
        elif self.results.get("agent") != "other":
            self.results["agent"] = "other"
            logger.warning("The agent's files have the digest %s, and the release names %s.", digest, wanted)

    def _archive(self) -> dict[str, Any] | None:
        """Returns the archive that holds this server's compile cache, if its sum is known."""
        for file in (self._settings.cache_publish_file, self._settings.cache_restore_file):
            status = read_status(file)
            if status.get("result") in ("published", "before", "restored", "kept") and status.get("sha256"):
                return {"name": status.get("archive"), "sha256": status["sha256"]}
        return None

    def _create(self, kind: str, name: str, content: Any) -> None:
        store = self._settings.store
        if store is None or self.results.get(kind) in ("written", "exists"):
            return
        file = self._settings.status_folder / f".{kind}.json"
        try:
            file.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
            gcs.create(store.bucket, name, file)
            self.results[kind] = "written"
        except Status as status:
            self.results[kind] = "exists" if status.exists else "failed"
            if self.results[kind] == "failed":
                logger.warning("gs://%s/%s cannot be written (%s).", store.bucket, name, status)
        except (Problem, OSError) as problem:
            self.results[kind] = "failed"
            logger.warning("gs://%s/%s cannot be written (%s).", store.bucket, name, problem)
        finally:
            file.unlink(missing_ok=True)
