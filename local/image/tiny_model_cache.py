"""The tiny model on the node's disk."""

import hashlib
import shutil
from pathlib import Path

from local.image import constants
from local.image.environment import ensure_environment
from tools.support import paths, staging
from tools.support.progress import exclusive, run

SCRIPT = Path(__file__).parent / "make_tiny_model.py"
MARKER = ".made-by"
"""File in the model's folder with the digest of the script that wrote the model."""


def model() -> Path:
    """Returns the folder of the tiny model, which may not exist yet."""
    return paths.node_data() / "models" / constants.MODEL_NAME


def ensure_model() -> Path:
    """Write the tiny model unless it exists in this version. Safe to interrupt and to run twice at once."""
    folder = model()
    made_by = hashlib.sha256(SCRIPT.read_bytes()).hexdigest()
    with exclusive(f"model-{paths.instance()}"):
        if (folder / MARKER).is_file() and (folder / MARKER).read_text() == made_by:
            return folder
        python = ensure_environment() / "bin" / "python3"
        unfinished, old = staging.folder(folder), folder.with_name(".old")
        unfinished.mkdir(parents=True)
        run(
            "writing the tiny model",
            [python, "-I", SCRIPT, unfinished],
            log="model",
            env={"HF_HUB_OFFLINE": "1"},
        )
        (unfinished / MARKER).write_text(made_by)
        # The server's user differs from the user who writes here.
        for each in (unfinished, *unfinished.iterdir()):
            each.chmod(0o755 if each.is_dir() else 0o644)
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            folder.rename(old)
        unfinished.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    return folder
