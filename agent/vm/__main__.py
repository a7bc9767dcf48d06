"""`python3 -m agent.vm COMMAND …`, for serving/deploy/vm_boot.sh. A problem is one line on stderr and exit
1."""

import json
import os
import sys
from pathlib import Path

from agent.compile_cache import trial
from agent.compile_cache.records import Store
from agent.compile_cache.restore import restore
from agent.compile_cache.start import start
from agent.store import gcp_api
from agent.vm import boot_status, collector, last_error, secret_manager, sidecar_results, weights


def main(words: list[str]) -> None:
    """Run one command."""
    match words:
        case ["report", "begin", release]:
            boot_status.begin(release)
        case ["report", stage, state, *rest]:
            seconds, reason = [*rest, None, None][:2]
            boot_status.stage(stage, state, float(seconds) if seconds else None, reason)
        case ["token"]:
            print(gcp_api.token())
        case ["secret", version, target]:
            secret_manager.fetch(version, Path(target))
        case ["weights", bucket, prefix, folder, *expect]:
            boot_status.note("weights", weights.stage(bucket, prefix, Path(folder), *expect))
        case ["cache", settings, folder, status_folder]:
            # The folders in the settings are the containers'.
            store = Store.read(json.loads(Path(settings).read_text("utf-8"))["store"])
            if store is None:
                raise gcp_api.Problem(f"{settings} names no bucket: make the template again.")
            restored = restore(store, Path(folder))
            restored.write(Path(status_folder))
            boot_status.note("cache", restored.sentence)
        case ["start", folder]:
            _note_cache(start(Path(folder)))
        case ["stop", folder, _]:
            trial.stop(Path(folder))
        case ["stop", _]:
            # No main PID: the server has already exited, so ExecStop has nothing to do.
            pass
        case ["give-up", folder]:
            dropped = trial.give_up(Path(folder))
            _note_cache(dropped)
            sys.exit(dropped is None)
        case ["rejection", status_folder]:
            print(sidecar_results.rejection(Path(status_folder)))
        case ["verdict", status_folder]:
            print(sidecar_results.verdict(Path(status_folder)))
        case ["published", status_folder, seconds]:
            _note_cache(sidecar_results.trial(Path(status_folder)))
            sentence, took = sidecar_results.publication(Path(status_folder), float(seconds))
            boot_status.stage("publish", "done", took, None)
            boot_status.note("publish", sentence)
        case ["metrics", unit]:
            # Beside the boot: no result of the collector is a result of the boot.
            boot_status.note(boot_status.METRICS, collector.note(unit, os.environ.get("SERVICE_RESULT")))
        case ["complaint", unit]:
            print(last_error.complaint(unit))
        case ["last-words", unit, starts]:
            # During a boot, the boot says it.
            if boot_status.serving():
                why = last_error.complaint(unit)
                boot_status.stage(
                    "server", "failed", None, f"The server ended {starts} times and stays down: {why}"
                )
        case _:
            raise gcp_api.Problem(f"agent.vm does not know the command {' '.join(words)!r}.")


def _note_cache(said: str | None) -> None:
    if said:
        boot_status.note("cache", said)


try:
    main(sys.argv[1:])
except (gcp_api.Problem, gcp_api.Status) as problem:
    sys.exit(str(problem))
except OSError as problem:
    sys.exit(f"{problem.filename or 'The disk'} cannot be used ({problem.strerror or problem}).")
