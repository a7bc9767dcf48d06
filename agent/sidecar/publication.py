"""The sidecar's part of the compile cache: the end of a baked cache's trial, and the publication."""

import json
import logging

from agent.compile_cache import publish as publishing
from agent.compile_cache import trial, warm_up_counts
from agent.compile_cache.records import TRIAL_FILE, Store
from agent.sidecar.settings import Settings
from agent.store import atomic_file

logger = logging.getLogger(__name__)


def end_trial(settings: Settings) -> None:
    """Ends the trial of a baked cache, if there is one, when the server answers, and writes its result to the
    status folder. Raises OSError for a folder that cannot be written."""
    misses = warm_up_counts.misses(warm_up_counts.of_file(settings.cache_events_file))
    try:
        result = trial.ready(settings.cache_folder, misses)
    except OSError as problem:
        # Its state stays `tried`: nothing is published, and the next start of the server empties the cache.
        result = f"The trial of the baked cache cannot be ended ({problem})."
    if result:
        logger.info("%s", result)
        atomic_file.write(settings.status_folder / TRIAL_FILE, json.dumps({"sentence": result}) + "\n")


def publish(settings: Settings) -> None:
    """Uploads the compile cache unless the bucket has it, and writes the result to the status folder."""
    if settings.store is None:
        return
    store = Store(settings.store.bucket, settings.store.archive, publish=settings.store.publish)
    publishing.publish(store, settings.cache_folder).write(settings.status_folder)
