"""`python3 -m agent.boot COMMAND …`, for serving/boot.sh. A problem is one line on stderr and exit 1."""

import sys
import time
from pathlib import Path

from agent.boot import baked, cache, complaint, google, report, secret, weights


def main(words: list[str]) -> None:
    """Run one command."""
    match words:
        case ["report", "begin", release]:
            report.begin(release)
        case ["report", stage, state, *rest]:
            seconds, reason = [*rest, None, None][:2]
            report.stage(stage, state, float(seconds) if seconds else None, reason)
        case ["token"]:
            print(google.token())
        case ["secret", version, target]:
            secret.fetch(version, Path(target))
        case ["weights", bucket, prefix, folder]:
            report.note("weights", weights.stage(bucket, prefix, Path(folder)))
        case ["cache", bucket, name, folder]:
            report.note("cache", cache.restore(bucket, name, Path(folder)))
        case ["cache", bucket, name, folder, baked_name]:
            report.note("cache", baked.restore(bucket, name, baked_name, Path(folder)))
        case ["start", folder]:
            _note_cache(baked.start(Path(folder)) or cache.mend(Path(folder)))
        case ["stop", folder, _]:
            baked.stop(Path(folder))
        case ["stop", _]:
            # systemd knows no process: the server has ended by itself, and this only cleans up.
            pass
        case ["give-up", folder]:
            dropped = baked.give_up(Path(folder))
            _note_cache(dropped)
            sys.exit(dropped is None)
        case ["ready", folder, unit]:
            _note_cache(baked.ready(Path(folder), unit))
        case ["publish", bucket, name, folder]:
            began = time.monotonic()
            said = baked.unfit(Path(folder)) or cache.publish(bucket, name, Path(folder))
            report.stage("publish", "done", round(time.monotonic() - began, 1), None)
            report.note("publish", said)
        case ["complaint", unit]:
            print(complaint.complaint(unit))
        case ["last-words", unit, starts]:
            # During a boot, the boot says it.
            if report.serving():
                why = complaint.complaint(unit)
                report.stage(
                    "server", "failed", None, f"The server ended {starts} times and stays down: {why}"
                )
        case _:
            raise google.Problem(f"agent.boot does not know the command {' '.join(words)!r}.")


def _note_cache(said: str | None) -> None:
    if said:
        report.note("cache", said)


try:
    main(sys.argv[1:])
except (google.Problem, google.Status) as problem:
    sys.exit(str(problem))
except OSError as problem:
    sys.exit(f"{problem.filename or 'The disk'} cannot be used ({problem.strerror or problem}).")
