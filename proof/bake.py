"""Packs the compile cache of a proof as an archive that the machines of a stack can start from.

Marked `baked` in its name and manifest: that JAX on the CPU backend computes the same keys from shapes as a
real boot is tested; that a TPU host computes these keys and loads these programs is not. So only a stack with
`target.baked_cache` takes it, and a machine whose server ends before it is ready drops it
(agent/vm/baked_cache_trial.py).
"""

import json
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from config.selection import Selection
from proof.environment import WRITTEN_FOR, Refused
from proof.work_folder import Record, WorkFolder, write_whole
from serving.compilation.fingerprint import fingerprint
from serving.compilation.proof import Proof
from serving.deploy import baked_cache

MANIFEST = "manifest.json"

RELEASE = f"vllm/vllm-tpu:v{WRITTEN_FOR['vllm-tpu']}"
IMAGE = re.compile(rf":v{re.escape(WRITTEN_FOR['vllm-tpu'])}@sha256:(?!0{{64}}$)[0-9a-f]{{64}}$")
"""The release that the programs are of, in any repository."""


def check(selection: Selection, *, whole: bool) -> None:
    """Raises Refused unless a cache of these programs could be a server's: of all programs (`whole`), of one
    image, one commit of the weights, and of a KV cache whose size is fixed."""
    if selection.image is None:
        raise Refused(
            f"{selection.name} names no image, and a cache is for the servers of one: name a stack of TPUs, "
            "as in `make bake STACK=dev`."
        )
    if not whole:
        raise Refused("A cache holds the programs of a whole boot: leave --quick, --layers and --config out.")
    if not IMAGE.search(selection.image):
        raise Refused(
            f"The image of {selection.name} is {selection.image}, and a cache is for one with this proof's "
            f"versions: set tpuserve:image to {RELEASE} with its real digest (`crane digest {RELEASE}` "
            f"tells it)."
        )
    if selection.candidate.model.revision is None:
        raise Refused(
            f"{selection.name} does not fix the weights, and a cache is for one commit of them: set "
            "tpuserve:model_revision."
        )
    if problem := baked_cache.problem(selection.candidate):
        raise Refused(problem)


def pack(
    selection: Selection, proof: Proof, records: Sequence[Record], folder: WorkFolder, out: Path
) -> Path:
    """Write the archive for the servers of a stack that passes `check` into `out`, whole or not at all; its
    path. Raises Refused when the cache lacks one of the programs, or when tar fails."""
    named = fingerprint(selection.candidate, image=selection.image or "")
    keys = {record.key: f"{record.kind} {record.shape}" for record in records if record.key}
    files = sorted(f"{key}-cache" for key in keys)
    missing = [each for each in records if each.key and not (folder.cache / f"{each.key}-cache").is_file()]
    if missing:
        for record in missing:
            folder.forget(record.number)
        raise Refused(
            f"The compile cache lacks {len(missing)} of {len(files)} programs, the first {missing[0].kind}: "
            "run the same command again, which compiles them."
        )
    manifest = {
        "baked": True,
        "fingerprint": named.digest,
        "fields": dict(named.fields),
        "compiled": proof.compiled,
        "versions": proof.versions,
        "programs": dict(sorted(keys.items())),
    }
    out.mkdir(parents=True, exist_ok=True)
    archive = out / Path(baked_cache.name(named)).name
    # Of its own: another bake may run, and stacks with the same programs have other images.
    with tempfile.TemporaryDirectory(prefix=".", dir=out) as own:
        write_whole(Path(own) / MANIFEST, json.dumps(manifest, indent=1) + "\n")
        unfinished = Path(own) / archive.name
        _tar(unfinished, "--directory", own, MANIFEST, "--directory", str(folder.cache), *files)
        unfinished.replace(archive)
    return archive


def _tar(archive: Path, *what: str) -> None:
    command = ["tar", "--create", "--zstd", "--sort=name", "--mtime=@0", "--owner=0", "--group=0"]
    try:
        done = subprocess.run(
            [*command, f"--file={archive}", *what], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise Refused("`tar` is not on this machine: install it (with zstd) and bake again.") from None
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["it gave no reason"])[0]
        raise Refused(
            f"tar cannot write {archive.name} ({reason}): free space or install zstd, and bake again."
        )
