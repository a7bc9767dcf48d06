"""`python3 -m agent.vm COMMAND …`, for serving/deploy/vm_boot.sh. A problem is one line on stderr and exit
1."""

import sys
import time
from pathlib import Path

from agent.vm import (
    baked_cache_trial,
    boot_status,
    compile_cache,
    gcp_api,
    last_error,
    secret_manager,
    weights,
)


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
        case ["cache", bucket, name, folder]:
            boot_status.note("cache", compile_cache.restore(bucket, name, Path(folder)))
        case ["cache", bucket, name, folder, baked_name]:
            boot_status.note("cache", baked_cache_trial.restore(bucket, name, baked_name, Path(folder)))
        case ["start", folder]:
            _note_cache(baked_cache_trial.start(Path(folder)) or compile_cache.delete_broken(Path(folder)))
        case ["stop", folder, _]:
            baked_cache_trial.stop(Path(folder))
        case ["stop", _]:
            # No main PID: the server has already exited, so ExecStop has nothing to do.
            pass
        case ["give-up", folder]:
            dropped = baked_cache_trial.give_up(Path(folder))
            _note_cache(dropped)
            sys.exit(dropped is None)
        case ["ready", folder, unit]:
            _note_cache(baked_cache_trial.ready(Path(folder), unit))
        case ["publish", bucket, name, folder]:
            began = time.monotonic()
            said = baked_cache_trial.unfit(Path(folder)) or compile_cache.publish(bucket, name, Path(folder))
            boot_status.stage("publish", "done", round(time.monotonic() - began, 1), None)
            boot_status.note("publish", said)
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
