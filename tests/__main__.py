"""`make test`: every tier in turn, cheapest first, and one table at the end.

A tier that this machine cannot run is skipped with its reason; under CI=true a skip is a failure, because
there a silent skip would look like a pass.
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TextIO

from local import cluster
from local.commands import prepare
from tests import results
from tests.results import Result
from tests.tiers import STAGES, TIERS, Tier, named, tier_of
from tools.support import host, paths
from tools.support.progress import Refusal, say


def main() -> int:
    """Run what was asked for; 0 when nothing failed, 2 for a request that cannot be met."""
    os.environ["TPUSERVE_INSTANCE"] = "test"
    parser = argparse.ArgumentParser(prog="python -m tests", description=main.__doc__)
    parser.add_argument("--fast", action="store_true", help="only what needs nothing to be built")
    parser.add_argument("--tier", help="only these tiers, with commas between them")
    parser.add_argument("--only", help="only this test file, folder or FILE::TEST")
    asked = parser.parse_args()
    try:
        tiers = _tiers(asked)
    except Refusal as refusal:
        say(str(refusal))
        return 2
    found = _in_stages([tier for tier in tiers if tier.fast], asked.only)
    real = [tier for tier in tiers if not tier.fast]
    if real:
        # An earlier run's state would describe a cluster that is gone.
        shutil.rmtree(paths.pulumi_home(), ignore_errors=True)
        if len(real) > 1:
            # The programs compile while the server's environment is downloaded. What cannot be made fails
            # again, with its sentence, in the tier that needs it.
            with contextlib.suppress(Refusal):
                prepare.ensure("programs", "packages", "server")
        found += _in_stages(real, asked.only)
        if paths.cluster().exists():
            cluster.stop()
    return results.report(found)


def _in_stages(tiers: Sequence[Tier], only: str | None) -> list[Result]:
    """Run the tiers in their stages, each when what it needs is built; returns results in their order."""
    asked = {tier.name: tier for tier in tiers}
    finished: dict[str, Result] = {}
    for stage in STAGES:
        lanes = [[asked[name] for name in lane if name in asked] for lane in stage]
        for result in _stage([lane for lane in lanes if lane], only):
            finished[result.name] = result
    return [finished[tier.name] for tier in tiers]


def _stage(lanes: Sequence[Sequence[Tier]], only: str | None) -> list[Result]:
    """Run lanes side by side, or one after the other where the machine is too small."""
    if len(lanes) < 2 or not _has_room():
        return [_prepared(tier, only) for lane in lanes for tier in lane]
    say(f"\n{' and '.join(' then '.join(tier.name for tier in lane) for lane in lanes)} run side by side;")
    say(f"their output is printed when they end, and until then it is in {paths.logs()}/tests-*.log")
    with ThreadPoolExecutor(len(lanes)) as pool:
        done = pool.map(lambda lane: [_prepared(tier, only, quiet=True) for tier in lane], lanes)
        return [result for lane in done for result in lane]


def _prepared(tier: Tier, only: str | None, *, quiet: bool = False) -> Result:
    """Build what a tier needs, and run it; the result of the building when that failed."""
    if tier.prepare is None:
        return _run(tier, only, quiet=quiet)
    ready = _prepare(tier, tier.prepare)
    if ready.notes:
        return ready
    result = _twice(tier, only, quiet=quiet)
    result.seconds += ready.seconds
    return result


def _has_room() -> bool:
    """Returns whether the lanes fit side by side: a server takes 5 GB, and a core while it boots."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return memory >= 20 and (os.cpu_count() or 1) >= 2


def _tiers(asked: argparse.Namespace) -> list[Tier]:
    """The tiers that the options mean. Raises Refusal."""
    if sum(map(bool, (asked.fast, asked.tier is not None, asked.only is not None))) > 1:
        raise Refusal(
            "More than one of --fast, TIER and ONLY was given: give one of them, ONLY finds its tier itself."
        )
    if asked.only is not None:
        return [tier_of(asked.only)]
    if asked.tier is not None:
        return named(asked.tier)
    return [tier for tier in TIERS if tier.fast or not asked.fast]


def _run(tier: Tier, only: str | None, *options: str, quiet: bool = False) -> Result:
    """Run a tier's command or its tests, as far as they are asked for; `quiet` prints their output later."""
    began = time.monotonic()
    run = partial(run_tests, tier, only or tier.folder, *options)
    if tier.command:
        run = partial(_run_command, tier)
    if quiet:
        log = paths.logs() / f"tests-{tier.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w", encoding="utf-8") as output:
            result = run(output=output)
        say(f"\n== {tier.name}\n{log.read_text('utf-8', 'replace')}")
    else:
        say(f"\n== {tier.name}")
        result = run()
    result.seconds = time.monotonic() - began
    return result


def _run_command(tier: Tier, *, output: TextIO | None = None) -> Result:
    words = [str(word) for word in tier.command]
    done = subprocess.run(words, cwd=paths.REPOSITORY, stdout=output, stderr=output, check=False)
    return Result(tier.name, passed=int(done.returncode == 0), failed=int(done.returncode != 0))


def run_tests(tier: Tier, tests: str, *options: str, output: TextIO | None = None) -> Result:
    """Run pytest on `tests`; when it ends without a report, that is a failure of the tier."""
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "junit.xml"
        words = [sys.executable, "-m", "pytest", "-q", tests, f"--junitxml={report}"]
        # Each tier remembers its own failures: tiers that run side by side would overwrite each other's.
        words += ["-o", "junit_family=xunit1", "-o", f"cache_dir=.pytest_cache/{tier.name}", *options]
        if tier.processes > 1:
            words += ["-n", str(tier.processes)]
        if tier.nice:
            words = ["nice", "-n", str(tier.nice), *words]
        code = subprocess.run(
            words,
            cwd=paths.REPOSITORY,
            env={**os.environ, "TPUSERVE_INSTANCE": tier.instance},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=False,
        ).returncode
        result = results.read(tier.name, report) if report.exists() else Result(tier.name)
    if code not in (0, 1) and not result.failed:
        result.failed += 1
        result.notes.append(f"pytest ended with {code}")
    return result


def _prepare(tier: Tier, build: Callable[[], object]) -> Result:
    """Build what a tier on the real thing needs; `notes` has the reason why it cannot run."""
    began = time.monotonic()
    try:
        host.require()
    except Refusal as refusal:
        return Result(tier.name, skipped=1, notes=[str(refusal)])
    try:
        build()
    except Refusal as refusal:
        return Result(tier.name, failed=1, seconds=time.monotonic() - began, notes=[str(refusal)])
    return Result(tier.name, seconds=time.monotonic() - began)


def _twice(tier: Tier, only: str | None, *, quiet: bool = False) -> Result:
    """Run a tier, and what failed in it once more: real processes on a shared machine fail now and then.

    What passes at the second try is named in the table, and what fails twice is failed.
    """
    first = _run(tier, only, quiet=quiet)
    if not first.failed:
        return first
    second = _run(tier, only, "--last-failed", "--last-failed-no-failures=none", quiet=quiet)
    if not second.passed + second.failed:
        return first
    names = [note.removeprefix("failed: ") for note in first.notes if note.startswith("failed: ")]
    again = {note.removeprefix("failed: ") for note in second.notes}
    second.notes += [f"passed at the second try: {name}" for name in names if name not in again]
    second.passed += first.passed
    second.skipped += first.skipped
    second.seconds += first.seconds
    second.cases = first.cases + second.cases
    return second


if __name__ == "__main__":
    sys.exit(main())
