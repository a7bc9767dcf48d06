"""Packs the compile cache of a proof as an archive that a node could start from.

Marked `baked` in its name and manifest: that JAX on the CPU backend computes the same keys from shapes as a
real boot is tested; that a TPU host computes these keys and loads these programs is not. So no boot takes the
archive by itself; docs/proof.md says how to try it. What does not load is compiled by the node: JAX warns
("Error reading persistent compilation cache entry") and goes on, and the agent counts it as a miss.
"""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from proof.environment import Refused
from proof.records import Record, WorkFolder, write_whole
from serving.asked import Asked
from serving.fingerprint import fingerprint
from serving.proofs import Proof

MANIFEST = "manifest.json"


def pack(
    asked: Asked, image: str, proof: Proof, records: Sequence[Record], folder: WorkFolder, out: Path
) -> Path:
    """Write `out`/<fingerprint>.baked.tar.zst for a server of `image`, whole or not at all; its path.

    Raises Refused when the cache lacks one of the programs, or when tar fails.
    """
    named = fingerprint(image=image, model=asked.model, accelerator=asked.accelerator, engine=asked.engine)
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
    archive = out / f"{named.digest}.baked.tar.zst"
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
