"""Gateway API's types for an API server, from its Go module."""

import json
import shutil
import subprocess
from pathlib import Path

from tools.support import paths
from tools.support.progress import Refusal, step
from tools.toolchain.programs import GO_FOLDER

_MODULE = "sigs.k8s.io/gateway-api"
_FOLDER = GO_FOLDER / "gateway_api"
"""Its go.mod and go.sum pin the version."""


def types() -> list[Path]:
    """Returns the files of Gateway API's CustomResourceDefinitions (standard channel), fetched once from its
    Go module."""
    folder = paths.toolchain() / f"gateway-api-{_version()}"
    if not folder.exists():
        with step(f"Gateway API {_version()}"):
            _fetch(folder)
    return sorted(folder.glob("gateway.networking.k8s.io_*.yaml"))


def _version() -> str:
    lines = (_FOLDER / "go.mod").read_text().splitlines()
    return next(line.split()[-1] for line in lines if _MODULE in line)


def _fetch(folder: Path) -> None:
    command = ["go", "mod", "download", "-json", _MODULE]
    try:
        answer = subprocess.run(command, cwd=_FOLDER, capture_output=True, text=True, check=False)
        download = json.loads(answer.stdout or "{}")
    except (FileNotFoundError, ValueError) as error:
        download = {"Error": str(error)}
    if "Dir" not in download:
        raise Refusal(
            f"The Gateway API types cannot be fetched ({download.get('Error', 'no answer')}): "
            f"`{' '.join(command)}` must work in {_FOLDER}, so make Go and its proxy available."
        )
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(Path(download["Dir"]) / "config" / "crd" / "standard", partial)
    partial.rename(folder)
