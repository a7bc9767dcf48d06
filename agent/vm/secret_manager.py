"""Copy of one secret from Secret Manager into one file in memory."""

import base64
import os
from pathlib import Path

from agent.store import gcp_api
from agent.store.gcp_api import Problem, Status

API = "https://secretmanager.googleapis.com/v1"


def fetch(version: str, target: Path) -> None:
    """Writes the value of `version` (projects/P/secrets/S/versions/V) to `target`, readable only by root."""
    secret = version.partition("/versions/")[0]
    try:
        answer = gcp_api.read(f"{API}/{version}:access", gcp_api.authorization())
    except Status as error:
        raise Problem(_sentence(error, secret, version)) from None
    value = base64.b64decode(answer["payload"]["data"]).strip()
    if not value:
        raise Problem(f"{version} is empty: add a version with a key to {secret}.")
    partial = target.with_name(f".{target.name}")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    with os.fdopen(descriptor, "wb") as file:
        file.write(value)
    partial.replace(target)


def _sentence(error: Status, secret: str, version: str) -> str:
    match error.code:
        case 401:
            return (
                f"Secret Manager does not accept the token of {gcp_api.account()} ({error}): check whether "
                f"the account is disabled or deleted."
            )
        case 403:
            return (
                f"{gcp_api.account()} may not read {secret} ({error}): grant it "
                f"roles/secretmanager.secretAccessor on that secret."
            )
        case 404:
            return (
                f"{version} does not exist: add the key with "
                f"`gcloud secrets versions add {secret.rpartition('/')[2]} --data-file=-`."
            )
        case _:
            return f"Secret Manager does not give {version} ({error})."
