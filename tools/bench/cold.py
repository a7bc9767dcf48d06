"""`make bench-cold`: seconds from empty caches to a preview and to an answer, step by step.

Each path starts from a fresh clone with empty caches of Go, pip, uv and this project. Debian's packages stay
installed, and the network's own caches are used. The table is written for docs/dependencies.md and README.md;
run it on a quiet machine.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.support import host, paths, subprocesses
from tools.support.progress import Refusal, say

NEEDED_BYTES = 45 * 10**9
"""Bytes of both scratch folders while the second one is filled: 35 GB were measured."""
WARM_RUNS = 3


@dataclass(frozen=True)
class Row:
    """One measured command."""

    path: str
    step: str
    seconds: float


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.bench.cold", description=__doc__)
    parser.add_argument(
        "--folder", type=Path, default=Path("/var/tmp"), help=("folder for the scratch clones and caches")
    )
    parser.add_argument("--only", choices=["preview", "up"], help="run only this path")
    chosen = parser.parse_args()
    subprocesses.end_in_order()
    try:
        host.require()
        free = shutil.disk_usage(chosen.folder).free
        if free < NEEDED_BYTES:
            raise Refusal(
                f"{chosen.folder} has {free / 1e9:.0f} GB free, and {NEEDED_BYTES / 1e9:.0f} GB are needed: "
                "free some, or pass --folder."
            )
        rows: list[Row] = []
        if chosen.only != "up":
            rows += _preview(chosen.folder)
        if chosen.only != "preview":
            rows += _up(chosen.folder)
    except Refusal as refusal:
        say(f"\n{refusal}")
        return 1
    for row in rows:
        print(f"| {row.path} | {row.step} | {row.seconds:.1f} |")
    return 0


def _preview(folder: Path) -> list[Row]:
    with _Scratch(folder / "tpuserve-cold-preview") as scratch:
        rows = [scratch.measure("from nothing", "make", "preview", "STACK=prod")]
        rows += [scratch.measure("warm", "make", "preview", "STACK=prod") for _ in range(WARM_RUNS)]
    return rows


def _up(folder: Path) -> list[Row]:
    with _Scratch(folder / "tpuserve-cold-up") as scratch:
        try:
            rows = [scratch.measure("from nothing", "make", "up")]
            rows += [scratch.measure("again, nothing to do", "make", "up") for _ in range(WARM_RUNS)]
            rows.append(scratch.measure("stop", "make", "down"))
            rows.append(scratch.measure("start again, all caches warm", "make", "up"))
        finally:
            scratch.measure("stop", "make", "clean")
    return rows


class _Scratch:
    """Clone and its caches in `folder`, which must not exist and is removed at the end."""

    def __init__(self, folder: Path) -> None:
        if folder.exists():
            raise Refusal(f"{folder} is left from an earlier run: read its log, remove it and run again.")
        self.folder = folder
        self.clone = folder / "clone"
        self.log = folder.with_suffix(".log")

    def __enter__(self) -> "_Scratch":
        self.folder.mkdir()
        subprocess.run(["git", "clone", "-q", paths.REPOSITORY, self.clone], check=True)
        return self

    def __exit__(self, *_: object) -> None:
        # Several times faster than shutil.rmtree over half a million files. Go's module cache is read-only.
        subprocess.run(["chmod", "-R", "u+w", self.folder], check=False)
        subprocess.run(["rm", "-rf", self.folder], check=False)
        say(f"Output of the commands: {self.log}")

    def environment(self) -> Mapping[str, str]:
        """Returns the user's environment, with every cache below the scratch folder."""
        mine = {
            "GOPATH": "go",
            "GOMODCACHE": "go/pkg/mod",
            "GOCACHE": "go-build",
            "PIP_CACHE_DIR": "pip",
            "UV_CACHE_DIR": "uv",
            "XDG_CACHE_HOME": "cache",
            "npm_config_cache": "npm",
            "TPUSERVE_CACHE": "tpuserve",
        }
        return {**os.environ, **{name: str(self.folder / place) for name, place in mine.items()}}

    def measure(self, step: str, *words: str) -> Row:
        """Run one command of the clone, with its output in the log. Raises Refusal when it fails."""
        began = time.monotonic()
        with self.log.open("a", encoding="utf-8") as output:
            code = subprocesses.call(
                words,
                own_group=True,
                cwd=self.clone,
                env=self.environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        row = Row(" ".join(words), step, time.monotonic() - began)
        say(f"{row.path}, {row.step}: {row.seconds:.1f} s")
        if code != 0:
            raise Refusal(f"`{row.path}` ({row.step}) ended with {code}: its output is in {self.log}.")
        return row


if __name__ == "__main__":
    sys.exit(main())
