"""Builds of Go programs into the cache folders of their families: a folder is complete or does not exist."""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from tools.support import paths, progress, staging
from tools.support.progress import Refusal
from tools.toolchain.programs import GoFamily, GoModule, ModuleFile, parse_version

_FLAGS = ("-trimpath", "-buildvcs=false", "-mod=readonly", "-gcflags=all=-dwarf=false")
"""Without debug information, which the compiler would make and the linker remove."""
_SETTINGS = {"CGO_ENABLED": "0", "GOWORK": "off"}
"""Settings for a build without a C compiler, whose programs run on any libc; a go.work of the user is
ignored."""


def folder(family: GoFamily) -> Path:
    """Returns the family's folder, which may not exist yet: it changes with its version, its Go module and
    its flags."""
    settings = (family.programs, _linker([family]), family.sources, family.installs, family.scripts)
    recipe = hashlib.sha256(repr((settings, _FLAGS, platform.machine())).encode())
    for file in _files(family.module):
        name = str(file.relative_to(family.module.folder))
        recipe.update(name.encode() + b"\0" + file.read_bytes())
    return paths.toolchain() / f"{family.name}-{family.version}-{recipe.hexdigest()[:12]}"


def build(families: Iterable[GoFamily]) -> None:
    """Build the families whose folders do not exist yet, those of one Go module with one `go build`.

    One command for several programs keeps all processors busy: one program links while the next compiles.
    Safe to kill at any moment and to run twice at once. Raises Refusal.
    """
    groups: dict[GoModule, list[GoFamily]] = {}
    for family in families:
        groups.setdefault(family.module, []).append(family)
    for module, group in groups.items():
        if _missing(group):
            with progress.exclusive(f"toolchain-{module.name}"):
                # Another run may have built them while this one waited for the lock.
                _build(module, _missing(group))


def _missing(families: Iterable[GoFamily]) -> list[GoFamily]:
    return [family for family in families if not folder(family).is_dir()]


def _build(module: GoModule, families: Sequence[GoFamily]) -> None:
    if not families:
        return
    _require_go(module, families)
    begun = staging.folder(paths.toolchain() / module.name, f"building-{module.name}")
    source = begun / "source"
    source.parent.mkdir(parents=True)
    shutil.copytree(module.folder, source)
    for family in families:
        programs = begun / family.name
        programs.mkdir()
        for wanted in family.sources:
            _module_file(family, wanted, source)
        for wanted in family.installs:
            shutil.move(_module_file(family, wanted, source), programs)
            (programs / Path(wanted.path).name).chmod(0o755)
        for name, text in family.scripts.items():
            (programs / name).write_text(text, "utf-8")
            (programs / name).chmod(0o755)
    output = begun / "output"
    output.mkdir()
    packages = [package for family in families for package in family.programs.values()]
    progress.run(
        f"Build {', '.join(f'{family.name} {family.version}' for family in families)} from Go modules",
        ["go", "build", *_FLAGS, "-ldflags", _linker(families), "-o", f"{output}/", *packages],
        log=f"toolchain-{module.name}",
        env=_SETTINGS,
        cwd=source,
        advice="Compiled packages stay in Go's cache: run the same command again to continue.",
    )
    for family in families:
        for name, package in family.programs.items():
            (output / _built_name(package, module)).rename(begun / family.name / name)
        (begun / family.name).rename(folder(family))
    shutil.rmtree(begun)


def _built_name(package: str, module: GoModule) -> str:
    """Returns the file name that `go build` gives a package's program: the path's last part that is not a
    version."""
    parts = PurePosixPath(module.name, package).parts
    return next(part for part in reversed(parts) if not re.fullmatch(r"v\d+", part))


def _files(module: GoModule) -> list[Path]:
    return sorted(file for file in module.folder.rglob("*") if file.suffix in {".mod", ".sum", ".go"})


def _linker(families: Iterable[GoFamily]) -> str:
    variables: list[str] = []
    for family in families:
        major, minor, *_ = parse_version(family.version)
        variables += (
            f"-X {variable.format(version=family.version, major=major, minor=minor)}"
            for variable in family.version_variables
        )
    # Strip the symbol tables: with them, the provider's 200 MB would double.
    return " ".join(["-s -w", *variables])


def _module_file(family: GoFamily, wanted: ModuleFile, source: Path) -> Path:
    """Copy `wanted` into `source` from the module that go.mod and go.sum pin. Raises Refusal."""
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
        # With -json, Go writes the reason to stdout once it has read go.mod, and to stderr before that.
        reason = json.loads(done.stdout)["Error"] if done.stdout else done.stderr
        raise Refusal(
            f"{title} failed: {' '.join(reason.split())}. Make Go's module proxy reachable "
            "(`go env GOPROXY`) and run the same command again."
        )
    origin = Path(json.loads(done.stdout)["Dir"]) / wanted.path
    target = source / origin.name
    if wanted.version is None:
        # Not shutil.copy: files of the module cache are read-only, and the copy must be writable.
        shutil.copyfile(origin, target)
    else:
        document = json.loads(origin.read_text("utf-8"))
        target.write_text(json.dumps({**document, "version": wanted.version}), "utf-8")
    return target


def _require_go(module: GoModule, families: Iterable[GoFamily]) -> None:
    """Raise Refusal where Go is missing, or too old and forbidden to fetch a newer Go."""
    needed = ".".join(map(str, module.minimum_go))
    names = ", ".join(f"{family.name} {family.version}" for family in families)
    task = f"Building {names} needs Go {needed} or newer"
    remedy = f"install Go {needed} or newer (`go` on PATH) and run the same command again."
    if shutil.which("go") is None:
        raise Refusal(f"{task}, and there is no `go` on PATH: {remedy}")
    # Outside any module and with the switch off, Go reports the installed version, not the one that go.mod
    # would fetch.
    version_command = subprocess.run(
        ["go", "version"],
        cwd="/",
        env={**os.environ, "GOTOOLCHAIN": "local"},
        capture_output=True,
        text=True,
        check=False,
    )
    match = re.search(r"go(\d+\.\d+(?:\.\d+)?)", version_command.stdout)
    if match is None:
        raise Refusal(
            f"{task}, and `go version` failed: {' '.join(version_command.stderr.split())}; {remedy}"
        )
    version = parse_version(match.group(1))
    if version >= module.minimum_go:
        return
    # Go 1.21 and newer fetches the toolchain that go.mod asks for, unless GOTOOLCHAIN says local or path.
    switch = subprocess.run(
        ["go", "env", "GOTOOLCHAIN"], cwd="/", capture_output=True, text=True, check=False
    ).stdout.strip()
    if version < (1, 21) or switch in {"local", "path"}:
        raise Refusal(
            f"{task}, and the `go` on PATH is {match.group(1)}"
            + (f" with GOTOOLCHAIN={switch}, which forbids it to fetch a newer version" if switch else "")
            + f": {remedy}"
        )
