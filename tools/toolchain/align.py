"""`python -m tools.toolchain.align`: give the provider's Go module the versions of the common one.

Run it after a change of go/programs/go.mod. Go's build cache then serves both modules, so that a package that
both import is compiled once.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.support.progress import Refusal
from tools.toolchain.programs import COMMON, PROVIDER, PROVIDER_MODULE

OWN = ("github.com/pulumi/pulumi/pkg/v3", "github.com/pulumi/pulumi/sdk/v3")
"""Modules with versions of their own: the provider calls functions that they no longer have at the CLI's
version."""
SDK = "github.com/pulumi/pulumi-kubernetes/sdk/v4 => ./sdk"


def main() -> int:
    try:
        align()
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        return 1
    return 0


def align() -> None:
    """Rewrite go.mod and go.sum of the provider. Raises Refusal when Go cannot resolve them."""
    pinned = {name: PROVIDER_MODULE.version(name) for name in OWN}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / PROVIDER_MODULE.name
        shutil.copytree(PROVIDER_MODULE.folder, folder)
        (folder / "go.mod").write_text(_go_mod(pinned, list(_modules())), "utf-8")
        _go(folder, "mod", "tidy")
        for name in ("go.mod", "go.sum"):
            shutil.copyfile(folder / name, PROVIDER_MODULE.folder / name)


def _go_mod(own: dict[str, str], modules: list[dict[str, Any]]) -> str:
    settings = re.findall(r"^(?:go|godebug) .*$", COMMON.go_mod, re.MULTILINE)
    required = [f"{name} v{version} // indirect" for name, version in own.items()]
    replaced = [SDK]
    for module in modules:
        if module.get("Main") or module["Path"] in OWN:
            continue
        required.append(f"{module['Path']} {module['Version']} // indirect")
        replacement = module.get("Replace", {})
        if "Version" in replacement:  # The others are folders of the common module.
            replaced.append(f"{module['Path']} => {replacement['Path']} {replacement['Version']}")
    return "\n\n".join(
        [
            f"module tpuserve/toolchain/{PROVIDER_MODULE.name}",
            *settings,
            f"require {PROVIDER.requirement} v{PROVIDER_MODULE.version(PROVIDER.requirement)}",
            "require (\n\t" + "\n\t".join(required) + "\n)",
            "replace (\n\t" + "\n\t".join(replaced) + "\n)\n",
        ]
    )


def _modules() -> Iterator[dict[str, Any]]:
    """Yields all modules of the common module's graph, as `go list -m -json` describes them. Raises
    Refusal."""
    text = _go(COMMON.folder, "list", "-m", "-json", "all").strip()
    while text:
        module, end = json.JSONDecoder().raw_decode(text)
        yield module
        text = text[end:].lstrip()


def _go(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["go", *words],
        cwd=folder,
        env={**os.environ, "GOWORK": "off"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise Refusal(f"`go {' '.join(words)}` failed in {folder}: {' '.join(done.stderr.split())}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
