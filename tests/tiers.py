"""The tiers of the tests: what each runs, what it needs, and which one a run was asked for.

The tests of a tier are the folder of its name; `TIERS` is the only place that knows the names.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from local import image
from tests.tpu_vm.tree import ensure_tree
from tools import toolchain
from tools.fake_gcp.kubernetes import control_plane
from tools.support import paths
from tools.support.errors import Refusal

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Tier:
    """One line of the table at the end of a run."""

    name: str
    command: tuple[str | Path, ...] = ()
    """Is run instead of pytest."""
    prepare: Callable[[], object] | None = None
    """Builds what the tests need; without it they need the Python environment only. Raises Refusal."""
    instance: str = "test"
    """Instance of the local cluster, with the state of its stack."""
    nice: int = 0
    """Priority as of nice(1): probes and deadlines must not wait for what runs beside them."""
    processes: int = 1
    """More than one only for tests that share nothing: each process has its own fixtures of a session."""

    @property
    def folder(self) -> str:
        """Returns the folder of its tests, relative to the repository."""
        return f"tests/{self.name}"

    @property
    def fast(self) -> bool:
        """Returns whether `make check` runs it."""
        return self.prepare is None


def _pulumi() -> None:
    toolchain.ensure("pulumi", "provider-kubernetes", "actionlint", "kube-score", *control_plane.PROGRAMS)


def _vllm() -> None:
    image.ensure_environment()
    image.ensure_model()


def _tpu_vm() -> None:
    ensure_tree()
    image.ensure_image()
    image.ensure_model()


def _cluster() -> None:
    toolchain.ensure(*toolchain.EVERYTHING, "promtool", "prometheus")
    image.ensure_image()
    image.ensure_model()


TIERS: tuple[Tier, ...] = (
    Tier("style", command=(BIN / "ruff", "check", ".")),
    Tier("format", command=(BIN / "ruff", "format", "--check", ".")),
    Tier("types", command=(BIN / "pyright",)),
    Tier("unit", processes=2),
    Tier("inventory"),
    Tier("pulumi", prepare=_pulumi, instance="test-pulumi", nice=10),
    Tier("vllm", prepare=_vllm, nice=10),
    Tier("proof", prepare=_vllm, nice=10),
    Tier("tpu_vm", prepare=_tpu_vm, nice=5),
    Tier("cluster", prepare=_cluster),
)
"""Cheapest first."""

STAGES: Sequence[Sequence[Sequence[str]]] = (
    (("style", "format", "types", "inventory"), ("unit",)),
    (("cluster",), ("tpu_vm", "proof"), ("vllm", "pulumi")),
)
"""Order of the tiers.

The lanes of a stage run side by side: they use no port, folder or lock of each other's. The cluster's tests
take longest and wait for deadlines of seconds and minutes, which leaves the processors to the other lanes.
"""


def named(names: str) -> list[Tier]:
    """The tiers of a comma-separated list, in the order of the table. Raises Refusal for an unknown name."""
    wanted = [name.strip() for name in names.split(",")]
    known = [tier.name for tier in TIERS]
    for name in wanted:
        if name not in known:
            raise Refusal(
                f"TIER is {names!r} and there is no tier {name!r}: name one or more of {_list(known)}, "
                "with commas between them."
            )
    return [tier for tier in TIERS if tier.name in wanted]


def tier_of(only: str) -> Tier:
    """The tier that has the tests `only`, which is a file, a folder or FILE::TEST. Raises Refusal."""
    place, _, test = only.partition("::")
    folders = [tier.folder for tier in TIERS if not tier.command]
    possible = f"name a test file or a folder in {_list(folders)}, or FILE::TEST"
    path = (paths.REPOSITORY / place).resolve()
    if not path.exists():
        raise Refusal(f"ONLY is {only!r} and {place} does not exist: {possible}.")
    found = [tier for tier in TIERS if path.is_relative_to(paths.REPOSITORY / tier.folder)]
    is_test = path.is_dir() or path.match("test_*.py")
    if not found or not is_test or (test and path.is_dir()):
        raise Refusal(f"ONLY is {only!r}, which is not a test of any tier: {possible}.")
    if test:
        _require(only, place, test)
    return found[0]


def _require(only: str, file: str, test: str) -> None:
    """Have pytest say which tests the file has: a build of minutes is no way to find a misspelled name."""
    words = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", file]
    done = subprocess.run(
        words,
        cwd=paths.REPOSITORY,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},  # a second of imports
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        return  # The file itself is broken: the run shows how.
    names = [line.partition("::")[2] for line in done.stdout.splitlines() if "::" in line]
    if not any(name == test or name.startswith((f"{test}[", f"{test}::")) for name in names):
        functions = list(dict.fromkeys(name.partition("[")[0] for name in names))
        raise Refusal(
            f"ONLY is {only!r} and there is no such test: {file} has {_list(functions)}; name one of these, "
            f"with the case in brackets or without, or leave ::{test} out."
        )


def _list(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
