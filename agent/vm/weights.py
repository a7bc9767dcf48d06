"""One model at one pinned revision, from the artifact bucket onto the disk."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from agent.store import atomic_file, gcs
from agent.store.gcp_api import Problem, Status, account
from agent.weights_job.checkpoint import checkpoint_problem

MARKER = ".staged"
"""File in the model's folder that names its source, once all other files are there."""


def stage(bucket: str, prefix: str, folder: Path, expect: str = "") -> str:
    """Puts gs://`bucket`/`prefix` into `folder`, complete and checked; returns what it did.

    Another revision in the folder is removed first, because the disk may not hold two. With `expect`,
    config.json is downloaded first and compared with it. Raises Problem.
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
    if expect:
        _refuse_other_checkpoint(found, prefix, folder, expect)
    gcs.download([(item, folder / item.name.removeprefix(prefix)) for item in found])
    atomic_file.write(staged, json.dumps({"origin": origin, "bytes": sum(item.size for item in found)}))
    return f"{len(found)} files, {sum(item.size for item in found) / 1e9:.2f} GB"


def _refuse_other_checkpoint(items: Sequence[gcs.Object], prefix: str, folder: Path, expect: str) -> None:
    problem: str | None = "it has no config.json"
    config = folder / "config.json"
    described = [item for item in items if item.name == f"{prefix}config.json"]
    if described:
        gcs.download([(described[0], config)])
        weight_bytes = sum(item.size for item in items if item.name.endswith(".safetensors"))
        problem = checkpoint_problem(config.read_bytes(), weight_bytes, expect)
    if problem is not None:
        raise Problem(
            f"gs://{items[0].bucket}/{prefix} is no checkpoint of {json.loads(expect)['model']}: {problem}; "
            "stage another revision, or name another architecture."
        )


def _origin(staged: Path) -> str | None:
    """Returns the folder's source once its files are complete; None for a note that cannot be read."""
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
