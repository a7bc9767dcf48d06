"""One model at one pinned revision, from the artifact bucket onto the disk."""

import json
import shutil
from pathlib import Path

from agent.vm import atomic_file, gcs
from agent.vm.gcp_api import Problem, Status, account

MARKER = ".staged"
"""In the model's folder once it is whole: where it came from."""


def stage(bucket: str, prefix: str, folder: Path) -> str:
    """Have gs://`bucket`/`prefix` in `folder`, whole and checked; says what it did.

    Another revision in the folder is removed first: two need not fit.
    """
    origin = f"gs://{bucket}/{prefix}"
    staged = folder / MARKER
    claimed = folder.with_name(f".{folder.name}.claim")
    if _origin(staged) == origin:
        return "kept"
    try:
        found = list(gcs.objects(bucket, prefix))
    except Status as error:
        raise Problem(_sentence(error, bucket)) from None
    if not any(item.name.endswith(".safetensors") for item in found):
        raise Problem(f'{origin} holds no weights: stage them there (docs/operations-tpu-vm.md, "Weights").')
    claim = json.dumps({item.name: item.generation for item in found})
    if not claimed.exists() or claimed.read_text() != claim:
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        atomic_file.write(claimed, claim)
    gcs.download([(item, folder / item.name.removeprefix(prefix)) for item in found])
    atomic_file.write(staged, json.dumps({"origin": origin, "bytes": sum(item.size for item in found)}))
    return f"{len(found)} files, {sum(item.size for item in found) / 1e9:.2f} GB"


def _origin(staged: Path) -> str | None:
    """Where the folder's files came from, once they are whole; a note that cannot be read says nothing."""
    try:
        return json.loads(staged.read_text())["origin"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _sentence(error: Status, bucket: str) -> str:
    match error.code:
        case 404:
            return f"The bucket {bucket} does not exist: deploy the foundation first."
        case 401 | 403:
            return (
                f"{account()} may not read gs://{bucket} ({error}): grant it roles/storage.objectViewer "
                f"there."
            )
        case _:
            return f"Cloud Storage does not list gs://{bucket} ({error})."
