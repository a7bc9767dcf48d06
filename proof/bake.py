"""Packs the compile cache of a proof as an archive that the machines of a stack can start from.

Marked `baked` in its name and manifest: that JAX on the CPU backend computes the same keys from shapes as a
real boot is tested; that a TPU host computes these keys and loads these programs is not. So only a stack with
`target.baked_cache` takes it, and a machine whose server ends before it is ready drops it
(agent/boot/baked.py).
"""

import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from proof.environment import Refused
from proof.records import Record, WorkFolder, write_whole
from serving import baked
from serving.asked import Asked
from serving.fingerprint import fingerprint
from serving.proofs import Proof

MANIFEST = "manifest.json"

DIGEST = re.compile(r"@sha256:(?!0{64}$)[0-9a-f]{64}$")


def check(asked: Asked, *, whole: bool) -> None:
    """Raises Refused unless a cache of these programs could be a server's: of all programs (`whole`), of one
    image, one commit of the weights, and of a KV cache whose size is fixed."""
    if asked.image is None:
        raise Refused(
            f"{asked.name} names no image, and a cache is for the servers of one: name a stack of TPUs, as "
            "in `make bake STACK=dev`."
        )
    if not whole:
        raise Refused("A cache holds the programs of a whole boot: leave --quick, --layers and --config out.")
    if not DIGEST.search(asked.image):
        raise Refused(
            f"The image of {asked.name} is {asked.image}, and a cache is for one: set tpuserve:image to what "
            "will run, with its real digest (`crane digest IMAGE` tells it)."
        )
    if asked.model.revision is None:
        raise Refused(
            f"{asked.name} does not fix the weights, and a cache is for one commit of them: set "
            "tpuserve:model_revision."
        )
    if problem := baked.problem(asked.accelerator, asked.model, asked.engine):
        raise Refused(problem)


def pack(asked: Asked, proof: Proof, records: Sequence[Record], folder: WorkFolder, out: Path) -> Path:
    """Write the archive for the servers of a stack that passes `check` into `out`, whole or not at all; its
    path. Raises Refused when the cache lacks one of the programs, or when tar fails."""
    named = fingerprint(
        image=asked.image or "", model=asked.model, accelerator=asked.accelerator, engine=asked.engine
    )
    keys = {record.key: f"{record.kind} {record.shape}" for record in records if record.key}
    files = sorted(f"{key}-cache" for key in keys)
    missing = [file for file in files if not (folder.cache / file).is_file()]
    if missing:
        raise Refused(
            f"The compile cache lacks {len(missing)} of {len(files)} programs, the first {missing[0]}: "
            f"delete {folder.path} and bake again."
        )
    manifest = {
        "baked": True,
        "fingerprint": named.digest,
        "fields": dict(named.fields),
        "compiled": proof.compiled,
        "versions": proof.versions,
        "programs": dict(sorted(keys.items())),
    }
    write_whole(folder.cache / MANIFEST, json.dumps(manifest, indent=1) + "\n")
    out.mkdir(parents=True, exist_ok=True)
    archive = out / Path(baked.name(named)).name
    unfinished = archive.with_name(f".{archive.name}")
    command = ["tar", "--create", "--zstd", "--sort=name", "--mtime=@0", "--owner=0", "--group=0"]
    try:
        done = subprocess.run(
            [*command, "--file", unfinished, "--directory", folder.cache, MANIFEST, *files],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["it gave no reason"])[0]
            raise Refused(
                f"tar cannot write {archive} ({reason}): free space or install zstd, and bake again."
            )
        unfinished.replace(archive)
    except FileNotFoundError:
        raise Refused("`tar` is not on this machine: install it (with zstd) and bake again.") from None
    finally:
        unfinished.unlink(missing_ok=True)
    return archive
