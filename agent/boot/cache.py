"""The compile cache of a release, restored from its archive. Whatever goes wrong is a miss, no failure."""

import shutil
import subprocess
from pathlib import Path

from agent.boot import storage
from agent.boot.google import Problem, Status


def restore(bucket: str, name: str, folder: Path) -> str:
    """Fill `folder` from gs://`bucket`/`name` (a .tar.zst) unless it holds programs; says what it did."""
    if folder.is_dir() and any(folder.iterdir()):
        return f"kept, {sum(1 for _ in folder.iterdir())} files"
    folder.parent.mkdir(parents=True, exist_ok=True)
    archive, unpacked = folder.with_name(".archive"), folder.with_name(".unpacked")
    try:
        found = [item for item in storage.objects(bucket, name) if item.name == name]
        if not found:
            return f"none in gs://{bucket}/{name}: this boot compiles"
        archive.unlink(missing_ok=True)
        storage.download([(found[0], archive)])
        shutil.rmtree(unpacked, ignore_errors=True)
        unpacked.mkdir()
        _unpack(archive, unpacked)
        shutil.rmtree(folder, ignore_errors=True)
        unpacked.rename(folder)
        return f"restored, {sum(1 for _ in folder.iterdir())} files"
    except (Problem, Status, OSError) as error:
        return f"not restored ({error}): this boot compiles"
    finally:
        archive.unlink(missing_ok=True)
        shutil.rmtree(unpacked, ignore_errors=True)
        # The server wants the folder, with or without programs in it.
        folder.mkdir(exist_ok=True)


def _unpack(archive: Path, folder: Path) -> None:
    command = [
        "tar",
        "--extract",
        "--zstd",
        "--no-same-owner",
        "--file",
        str(archive),
        "--directory",
        str(folder),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["tar gave no reason"]
        raise Problem(f"the archive is damaged: {lines[0]}")
