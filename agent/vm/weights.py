"""One model at one pinned revision, from the artifact bucket onto the disk."""

import json
import re
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

from agent.store import atomic_file, gcs
from agent.store.gcp_api import Problem, Status, account
from agent.weights_job.checkpoint import checkpoint_problem

MARKER = ".staged"
"""File in the model's folder that names its source, once all other files are there."""

_SHARD = re.compile(r"(.*-)\d{5}-of-(\d{5})\.safetensors")
"""Name of one of several files with weights, as Hugging Face's libraries write it."""


def stage(bucket: str, prefix: str, folder: Path, expect: str = "") -> str:
    """Puts gs://`bucket`/`prefix` into `folder`, complete and checked; returns what it did.

    Another revision in the folder is removed first, because the disk may not hold two. Objects that have
    changed since the last time are downloaded again. Weights that are complete here stay as they are if the
    bucket cannot be read or has only a part. With `expect`, config.json is downloaded first and compared with
    it. Raises Problem.
    """
    origin = f"gs://{bucket}/{prefix}"
    staged = folder / MARKER
    claimed = folder.with_name(f".{folder.name}.claim")
    complete = _origin(staged) == origin
    try:
        found = list(gcs.objects(bucket, prefix))
        claim = {item.name: item.generation for item in found}
        if complete and claim == _claim(claimed):
            return "kept"
        _refuse_part(bucket, prefix, claim.keys())
    except (Status, Problem) as error:
        sentence = _sentence(error, bucket) if isinstance(error, Status) else str(error)
        if complete:
            return f"kept; {sentence}"
        raise Problem(sentence) from None
    staged.unlink(missing_ok=True)
    _remove_others(folder, prefix, claim.items() & _claim(claimed).items())
    folder.parent.mkdir(parents=True, exist_ok=True)
    atomic_file.write(claimed, json.dumps(claim))
    if expect:
        _refuse_other_checkpoint(found, prefix, folder, expect)
    gcs.download([(item, folder / item.name.removeprefix(prefix)) for item in found])
    atomic_file.write(staged, json.dumps({"origin": origin, "bytes": sum(item.size for item in found)}))
    return f"{len(found)} files, {sum(item.size for item in found) / 1e9:.2f} GB"


def _refuse_part(bucket: str, prefix: str, names: Collection[str]) -> None:
    """Raises Problem unless the bucket has all files, as far as that can be known."""
    advice = 'stage them there (docs/operations-tpu-vm.md, "Weights").'
    if not any(name.endswith(".safetensors") for name in names):
        raise Problem(f"gs://{bucket}/{prefix} holds no weights: {advice}")
    listed = _listed(bucket, prefix) or {
        f"{match[1]}{number:05d}-of-{match[2]}.safetensors"
        for match in filter(None, map(_SHARD.fullmatch, names))
        for number in range(1, int(match[2]) + 1)
    }
    if missing := sorted(listed - set(names)):
        raise Problem(
            f"gs://{bucket}/{prefix} lacks {len(missing)} of {len(listed)} files, the first of them "
            f"{missing[0].removeprefix(prefix)}: wait for the copy that is under way, or {advice}"
        )


def _listed(bucket: str, prefix: str) -> set[str]:
    """Returns the names in the list that agent/weights_job/manifest.py writes last; none without a list."""
    try:
        content = json.loads(gcs.read(bucket, f"{prefix.rstrip('/')}.manifest.json"))
        return {f"{prefix}{file['path']}" for file in content["files"]}
    except Status as error:
        if error.code != 404:
            raise
    except (ValueError, KeyError, TypeError):
        pass
    return set()


def _remove_others(folder: Path, prefix: str, same: Collection[tuple[str, str]]) -> None:
    """Removes the folder's files but for those of `same`, names and generations; all when there are none."""
    names = {name for name, _ in same}
    if not names:
        shutil.rmtree(folder, ignore_errors=True)
    for file in folder.rglob("*"):
        # A partial download has the generation in its journal.
        if file.is_file() and not gcs.is_partial(file) and f"{prefix}{file.relative_to(folder)}" not in names:
            file.unlink()


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


def _claim(claimed: Path) -> dict[str, str]:
    """Returns the generations by name of the objects that the folder's files are from."""
    try:
        return dict(json.loads(claimed.read_text()))
    except (OSError, ValueError, TypeError):
        return {}


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
