"""The programs that the local path runs: found on PATH when new enough, else built or installed.

`python -m tools.toolchain` shows which is which. Whose `pulumi` is used decides about its plugins:

- One on PATH that has its `pulumi-language-python` beside it is the user's own. It keeps its PULUMI_HOME,
  its language host and its way of getting plugins (a download); only backend and passphrase are set for it.
- Otherwise the CLI, the Kubernetes provider and pulumi-language-python-exec are built from Go modules, the
  language host is `tools.toolchain.language_host`, and PULUMI_HOME is this instance's own folder, with the
  built provider linked in as the plugin that the Python SDK asks for.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from tools.support import paths, progress
from tools.support.progress import Refusal
from tools.toolchain import debian, golang
from tools.toolchain.find import Found, find
from tools.toolchain.programs import CLONE_VARIABLE, PROGRAMS, PROVIDER, Built, Packaged

EVERYTHING: tuple[str, ...] = tuple(name for name, program in PROGRAMS.items() if program.local_stack)
"""Programs that `make up` needs; the rest of the table serves single tests and commands."""


def ensure(*names: str) -> None:
    """Make the named programs available, building or installing what is missing. Raises Refusal."""
    programs = [_program(name) for name in names]
    missing = [program for program in programs if isinstance(program, Packaged) and find(program) is None]
    if missing:
        debian.install(missing)
        _check_installed(missing)
    built = [program for program in programs if isinstance(program, Built)]
    missing_families = {
        program.family.name: program.family
        for program in built
        if program.family is not PROVIDER and find(program) is None
    }
    golang.build(missing_families.values())
    if any(program.family is PROVIDER for program in built):
        ensure_provider()


def missing(*names: str) -> list[str]:
    """Returns those of the named programs that `ensure` would build or install. Raises Refusal."""
    return [name for name in names if find(_program(name)) is None]


def path(name: str) -> Path:
    """Returns the program's path (`cni`: the folder of plugins). Raises Refusal when it is not built yet."""
    return _found(name).path


def pulumi_environment() -> dict[str, str]:
    """Returns the variables with which the ordinary `pulumi` works on this instance. Raises Refusal.

    The backend is a folder of this instance, and its passphrase is empty: no secret value ever enters the
    state (the docs explain how), so there is nothing for a passphrase to protect.
    """
    pulumi = _found("pulumi")
    environment = {
        "PULUMI_BACKEND_URL": f"file://{paths.pulumi_home() / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    if pulumi.origin == "built":
        front = str(pulumi.path.parent)
        behind = (entry for entry in os.get_exec_path() if entry != front)
        environment["PATH"] = os.pathsep.join((front, *behind))
        environment["PULUMI_HOME"] = str(paths.pulumi_home())
        # A machine that builds its CLI does not download plugins: without this setting every run would try,
        # and wait for, the providers of the other stacks. `pulumi plugin install` still downloads where it
        # can.
        environment["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true"
        environment[CLONE_VARIABLE] = str(paths.REPOSITORY)
    return environment


def ensure_provider(pulumi_home: Path | None = None) -> None:
    """Make the Kubernetes provider a plugin of `pulumi_home`, by default of the PULUMI_HOME that the CLI
    uses.

    Raises Refusal.
    """
    pulumi = find(PROGRAMS["pulumi"])
    if pulumi is not None and pulumi.origin == "PATH":
        progress.run(
            f"Install the Kubernetes provider {PROVIDER.version} by {pulumi.path}",
            [pulumi.path, "plugin", "install", "resource", "kubernetes", PROVIDER.version],
            log="provider-kubernetes",
            env={"PULUMI_HOME": str(pulumi_home)} if pulumi_home else None,
            advice=f"If it cannot be downloaded, take {pulumi.path.parent} off PATH: CLI and provider are "
            "then built from their Go modules.",
        )
        return
    golang.build([PROVIDER])
    built = golang.folder(PROVIDER) / "pulumi-resource-kubernetes"
    # Use a real folder with a link in it: `pulumi plugin ls` skips folders that are links themselves.
    home = pulumi_home or paths.pulumi_home()
    plugin = home / "plugins" / f"resource-kubernetes-v{PROVIDER.version}" / built.name
    if not (plugin.is_symlink() and plugin.readlink() == built):
        plugin.parent.mkdir(parents=True, exist_ok=True)
        aside = plugin.with_name(f".{plugin.name}.{os.getpid()}")
        aside.symlink_to(built)
        aside.rename(plugin)


def _check_installed(programs: Iterable[Packaged]) -> None:
    for program in programs:
        if find(program) is None:
            oldest = ".".join(map(str, program.oldest))
            raise Refusal(
                f"{program.name} {oldest} or newer is needed, and the package {program.package} of this "
                "machine's Debian release does not provide it: use Debian 12 or newer, or put "
                f"{program.name} on PATH yourself."
            )


def _program(name: str) -> Built | Packaged:
    if name not in PROGRAMS:
        raise Refusal(f"There is no program {name!r} in the toolchain: choose one of {', '.join(PROGRAMS)}.")
    return PROGRAMS[name]


def _found(name: str) -> Found:
    found = find(_program(name))
    if found is None:
        raise Refusal(
            f"{name} is neither on PATH nor built yet: run `make up`, "
            f"or `python -m tools.toolchain build {name}`."
        )
    return found
