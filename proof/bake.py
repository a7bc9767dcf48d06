"""Packer of a proof's compile cache: an archive from which the machines of a stack can start.

The archive is marked `baked` in its name and manifest. Tests show that JAX on the CPU backend computes the
same keys from shapes as a real boot. Nothing shows that a TPU host computes these keys and loads these
programs. So only a stack with `target.baked_cache` uses it, and a machine whose server ends before it is
ready deletes it (agent/compile_cache/trial.py).
"""

import hashlib
import json
import re
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from config.selection import Selection
from proof.environment import WRITTEN_FOR, ProofError
from proof.work_folder import Record, WorkFolder, write_whole
from serving.compilation.fingerprint import fingerprint
from serving.compilation.proof import Proof
from serving.deploy import baked_cache

MANIFEST, FORMAT = "manifest.json", 1
"""First member of an archive, and its format, as agent/compile_cache/archive.py reads them."""

RELEASE = f"vllm/vllm-tpu:v{WRITTEN_FOR['vllm-tpu']}"
IMAGE = re.compile(rf":v{re.escape(WRITTEN_FOR['vllm-tpu'])}@sha256:(?!0{{64}}$)[0-9a-f]{{64}}$")
"""Images of the release for which the programs are compiled, in any repository."""


def check(selection: Selection, *, whole: bool) -> None:
    """Raises ProofError unless a server can use a cache of these programs.

    It can if the cache has all programs (`whole`), and the stack sets the image, the commit of the weights
    and the size of the KV cache.
    """
    image = _image(selection)
    if image is None:
        raise ProofError(
            f"{selection.name} sets no image, and a cache is for servers of one image: name a stack with "
            "TPUs, as in `make bake STACK=dev`."
        )
    if not whole:
        raise ProofError("A cache has the programs of a whole boot: remove --quick, --layers and --config.")
    if not IMAGE.search(image):
        raise ProofError(
            f"The image of {selection.name} is {image}, and a cache is for an image with this "
            f"proof's versions: set tpuserve:image to {RELEASE} with its real digest (`crane digest "
            f"{RELEASE}` prints it)."
        )
    if selection.candidate.model.revision is None:
        raise ProofError(
            f"{selection.name} sets no tpuserve:model_revision, and a cache is for one commit of the "
            "weights: set it."
        )
    if problem := baked_cache.problem(selection.candidate):
        raise ProofError(problem)


def _image(selection: Selection) -> str | None:
    return selection.settings.image_name if selection.settings else None


def pack(
    selection: Selection, proof: Proof, records: Sequence[Record], folder: WorkFolder, out: Path
) -> Path:
    """Writes the archive into `out`, whole or not at all, and returns its path.

    The selection has passed `check`. Raises ProofError when the cache lacks a program, or the disk is
    full.
    """
    named = fingerprint(selection.candidate, image=_image(selection) or "")
    keys = {record.key: f"{record.kind} {record.shape}" for record in records if record.key}
    files = sorted(f"{key}-cache" for key in keys)
    missing = [each for each in records if each.key and not (folder.cache / f"{each.key}-cache").is_file()]
    if missing:
        for record in missing:
            folder.forget(record.number)
        raise ProofError(
            f"The compile cache lacks {len(missing)} of {len(files)} programs, the first {missing[0].kind}: "
            "run the same command again, which compiles them."
        )
    manifest = {
        "format": FORMAT,
        "fingerprint": named.digest,
        "entries": {file: _sha256(folder.cache / file) for file in files},
        "baked": True,
        "fields": dict(named.fields),
        "compiled": proof.compiled,
        "versions": proof.versions,
        "programs": dict(sorted(keys.items())),
    }
    out.mkdir(parents=True, exist_ok=True)
    archive = out / Path(baked_cache.name(named)).name
    # A separate folder: another bake may run, and stacks with the same programs have other images.
    with tempfile.TemporaryDirectory(prefix=".", dir=out) as temporary:
        write_whole(Path(temporary) / MANIFEST, json.dumps(manifest, indent=1) + "\n")
        unfinished = Path(temporary) / archive.name
        try:
            with tarfile.open(unfinished, "w") as tar:
                for file in (Path(temporary) / MANIFEST, *(folder.cache / file for file in files)):
                    tar.add(file, file.name, filter=_plain)
        except OSError as error:
            raise ProofError(
                f"{archive.name} cannot be written ({error}): free space, and run the same command again."
            ) from None
        unfinished.replace(archive)
    return archive


def _sha256(file: Path) -> str:
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Returns the member without what differs between two machines with the same programs."""
    return member.replace(mtime=0, mode=0o644, uid=0, gid=0, uname="", gname="", deep=False)
