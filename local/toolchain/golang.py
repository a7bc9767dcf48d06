"""Building a Go family into its cache folder: whole or not there at all."""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

from local import paths, progress, staging
from local.progress import Refusal
from local.toolchain.programs import GO_FOLDER, GoFamily, ModuleFile, parse_version

_FLAGS = ("-trimpath", "-buildvcs=false", "-mod=readonly")
_SETTINGS = {"CGO_ENABLED": "0", "GOWORK": "off"}
"""No C compiler is needed and the programs run on any libc; a go.work of the user's is not looked at."""


def folder(family: GoFamily) -> Path:
    """Where the family's programs are or will be: changes with its version, its go folder and its flags."""
    settings = (family.programs, _linker(family), family.sources, family.installs, family.scripts)
    recipe = hashlib.sha256(repr((settings, _FLAGS, platform.machine())).encode())
    for file in _files(family):
        recipe.update(file.name.encode() + b"\0" + file.read_bytes())
    return paths.toolchain() / f"{family.name}-{family.version}-{recipe.hexdigest()[:12]}"


def build(family: GoFamily) -> None:
    """Build the family unless its folder is there. Safe to kill at any moment and to run twice at once."""
    target = folder(family)
    if target.is_dir():
        return
    with progress.exclusive(f"toolchain-{family.name}"):
        if target.is_dir():
            return
        begun = staging.folder(target, f"building-{family.name}")
        programs = begun / "programs"
        source = begun / "source"
        programs.mkdir(parents=True)
        source.mkdir()
        _require_go(family)
        for file in _files(family):
            shutil.copy(file, source)
        for wanted in (*family.sources, *family.installs):
            laid = _module_file(family, wanted, source)
            if wanted in family.installs:
                shutil.move(laid, programs)
                (programs / laid.name).chmod(0o755)
        for name, text in family.scripts.items():
            (programs / name).write_text(text, "utf-8")
            (programs / name).chmod(0o755)
        for name, package in family.programs.items():
            progress.run(
                f"Build {name} {family.version} from its Go module",
                ["go", "build", *_FLAGS, "-ldflags", _linker(family), "-o", programs / name, package],
                log=f"toolchain-{family.name}",
                env=_SETTINGS,
                cwd=source,
                advice="What is compiled already stays in Go's cache: run the same command again to go on.",
            )
        programs.rename(target)
        shutil.rmtree(begun)


def _files(family: GoFamily) -> list[Path]:
    return sorted(
        file for file in (GO_FOLDER / family.name).iterdir() if file.suffix in {".mod", ".sum", ".go"}
    )


def _linker(family: GoFamily) -> str:
    major, minor, *_ = parse_version(family.version)
    variables = (
        f"-X {variable.format(version=family.version, major=major, minor=minor)}"
        for variable in family.version_variables
    )
    # Without symbol tables: they double the provider's 200 MB.
    return " ".join(["-s -w", *variables])


def _module_file(family: GoFamily, wanted: ModuleFile, source: Path) -> Path:
    """Copy `wanted` into `source` from the module that go.mod and go.sum pin."""
    command = ["go", "mod", "download", "-json", wanted.module]
    title = f"Fetch {Path(wanted.path).name} of {family.name} {family.version}"
    with progress.step(title):
        done = subprocess.run(
            command,
            cwd=source,
            env={**os.environ, **_SETTINGS},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    if done.returncode != 0:
        # With -json Go tells why in the answer, or on stderr when it did not come so far.
        reason = json.loads(done.stdout)["Error"] if done.stdout else done.stderr
        raise Refusal(
            f"{title} failed: {' '.join(reason.split())}. Make Go's module proxy reachable "
            "(`go env GOPROXY`) and run the same command again."
        )
    origin = Path(json.loads(done.stdout)["Dir"]) / wanted.path
    laid = source / origin.name
    if wanted.version is None:
        # Not shutil.copy: the module cache is read-only and its mode would come along.
        shutil.copyfile(origin, laid)
    else:
        document = json.loads(origin.read_text("utf-8"))
        laid.write_text(json.dumps({**document, "version": wanted.version}), "utf-8")
    return laid


def _require_go(family: GoFamily) -> None:
    """Refuse in one sentence where Go is missing, or too old and forbidden to fetch a newer one of itself."""
    needed = ".".join(map(str, family.minimum_go))
    task = f"Building {family.name} {family.version} needs Go {needed} or newer"
    way_out = f"install Go {needed} or newer (`go` on PATH) and run the same command again."
    if shutil.which("go") is None:
        raise Refusal(f"{task}, and there is no `go` on PATH: {way_out}")
    # Asked outside any module and with the switch off: what is installed, not what go.mod would fetch.
    asked = subprocess.run(
        ["go", "version"],
        cwd="/",
        env={**os.environ, "GOTOOLCHAIN": "local"},
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"go(\d+\.\d+(?:\.\d+)?)", asked.stdout)
    if found is None:
        raise Refusal(f"{task}, and `go version` failed: {' '.join(asked.stderr.split())}; {way_out}")
    version = parse_version(found.group(1))
    if version >= family.minimum_go:
        return
    # Go 1.21 and newer fetches the toolchain that go.mod asks for, unless GOTOOLCHAIN says local or path.
    switch = subprocess.run(
        ["go", "env", "GOTOOLCHAIN"], cwd="/", capture_output=True, text=True, check=False
    ).stdout.strip()
    if version < (1, 21) or switch in {"local", "path"}:
        raise Refusal(
            f"{task}, and the `go` on PATH is {found.group(1)}"
            + (f" with GOTOOLCHAIN={switch}, which forbids it to fetch a newer one" if switch else "")
            + f": {way_out}"
        )
