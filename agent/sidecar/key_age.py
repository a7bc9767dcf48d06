"""Age of the API key: the time at which the newest version of its secret was created.

Secret Manager's `secrets.versions.get` returns a version without its value. It needs
`roles/secretmanager.viewer` on the secret.
"""

import logging
import time
from datetime import datetime

from agent.store import gcp_api
from agent.store.gcp_api import Problem, Status

API = "https://secretmanager.googleapis.com/v1"
AGAIN_SECONDS = 3600.0
"""Seconds between two looks; an age in days needs no more."""

logger = logging.getLogger(__name__)


class KeyAge:
    """Creation time of the newest version of `secret`, as a Unix time; None before it is known.

    `secret` is named as in projects/P/secrets/S.
    """

    created: float | None = None

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def keep_reading(self) -> None:
        """Reads the time once an hour until the process ends. A failed look keeps the time before."""
        while True:
            try:
                self.created = created(self._secret)
            except (Problem, Status, ValueError) as problem:
                logger.warning("The age of %s is not known (%s).", self._secret, problem)
            time.sleep(AGAIN_SECONDS)


def created(secret: str) -> float:
    """Returns the Unix time at which the newest version was created.

    Raises Problem and Status when Secret Manager does not say it, and ValueError for another form of time.
    """
    version = gcp_api.read(f"{API}/{secret}/versions/latest", gcp_api.authorization())
    return datetime.fromisoformat(str(version.get("createTime"))).timestamp()
