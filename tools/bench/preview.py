"""`make bench`: how much longer `pulumi preview` of prod takes than that of a bare program.

Both declare the same resources with the same inputs to the same fake Google Cloud; the bench checks that.
They run in alternating pairs, so that a machine that is busy for a while slows down both. Processor seconds
are steadier where the machine is busy with something else.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tools import toolchain
from tools.bench import bare
from tools.fake_gcp import preview_backend
from tools.support import paths, progress
from tools.support.progress import Refusal, say

STACK = "prod"
GOAL = 1.1
HEAD = "".join(f"{word:>12}" for word in ("seconds", "bare", "ratio", "processor", "bare", "ratio"))


def main() -> int:
    """Measure and print; return 1 when the ratio is above the goal."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench.preview", description=__doc__)
    parser.add_argument("--pairs", type=int, default=11)
    chosen = parser.parse_args()
    try:
        toolchain.ensure("pulumi")
        with progress.exclusive("offline"):
            ratio, processor = measure(preview_backend.ensure(preview_backend.foundations()), chosen.pairs)
    except Refusal as refusal:
        say(f"\n{refusal}")
        return 1
    print(f"median ratio {ratio:.3f}, of processor seconds {processor:.3f}; goal: at most {GOAL}")
    return int(ratio > GOAL)


def bare_program(fake_cloud: preview_backend.FakeCloud) -> tuple[Path, int]:
    """Returns the folder of the bare program, and how many resources it declares.

    Both programs run once first, so that Python's files are compiled and the disk's files are in memory.
    Raises Refusal when their plans differ.
    """
    ours = _plan(fake_cloud, paths.REPOSITORY)
    folder = fake_cloud.folder / "bare"
    folder.mkdir(exist_ok=True)
    (folder / "Pulumi.yaml").write_bytes((paths.REPOSITORY / "Pulumi.yaml").read_bytes())
    (folder / "__main__.py").write_text(bare.program(ours), "utf-8")
    environment = folder / ".venv"
    # The folder is in the cache, which clones share: a link that an earlier clone left may point nowhere.
    environment.unlink(missing_ok=True)
    environment.symlink_to(paths.REPOSITORY / ".venv")
    same(ours, _plan(fake_cloud, folder))
    return folder, len(bare.declared(ours))


def measure(fake_cloud: preview_backend.FakeCloud, pairs: int) -> tuple[float, float]:
    """Returns the medians of the pairs' ratios, of seconds and of processor seconds; prints each pair.

    Raises Refusal when the two plans differ.
    """
    folder, resources = bare_program(fake_cloud)
    print(f"{resources} resources, {pairs} pairs\n{HEAD}")
    ratios: list[tuple[float, float]] = []
    for pair in range(pairs):
        spent: dict[Path, tuple[float, float]] = {}
        for program in (paths.REPOSITORY, folder) if pair % 2 else (folder, paths.REPOSITORY):
            before = _now()
            _plan(fake_cloud, program)
            spent[program] = (_now()[0] - before[0], _now()[1] - before[1])
        (wall, cpu), (bare_wall, bare_cpu) = spent[paths.REPOSITORY], spent[folder]
        ratios.append((wall / bare_wall, cpu / bare_cpu))
        shown = (wall, bare_wall, ratios[-1][0], cpu, bare_cpu, ratios[-1][1])
        print("".join(f"{number:>12.3f}" for number in shown), flush=True)
    walls, cpus = zip(*ratios, strict=True)
    return statistics.median(walls), statistics.median(cpus)


def _now() -> tuple[float, float]:
    """Returns the clock's seconds, and the processor seconds of every child that has ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.monotonic(), children.ru_utime + children.ru_stime


def same(ours: dict[str, Any], other: dict[str, Any]) -> None:
    """Raises Refusal, which names the resources that only one plan has or whose inputs differ."""
    one, two = ({name: bare.inputs(state) for name, state in bare.declared(p).items()} for p in (ours, other))
    different = sorted(name for name in {*one, *two} if one.get(name) != two.get(name))
    if different:
        raise Refusal(f"The bare program's plan differs: {', '.join(different)}; fix tools/bench/bare.py.")


def _plan(fake_cloud: preview_backend.FakeCloud, folder: Path) -> dict[str, Any]:
    done = subprocess.run(
        ["pulumi", "preview", "--stack", STACK, "--config-file", fake_cloud.stack_file(STACK), "--json"],
        cwd=folder,
        env=fake_cloud.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise Refusal(f"`pulumi preview` in {folder} failed: {done.stderr[-2000:]}{done.stdout[-2000:]}")
    return json.loads(done.stdout)


if __name__ == "__main__":
    sys.exit(main())
