"""`make test`: every tier in turn, cheapest first, and one table at the end.

A tier that this machine cannot run is skipped with its reason; under CI=true a skip is a failure, because
there a silent skip would look like a pass.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from local import cluster, machine, paths
from local.progress import Refusal, say
from tests import results
from tests.results import Result
from tests.tiers import TIERS, Tier, named, tier_of


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
    found = [_run(tier, asked.only) for tier in tiers if tier.fast]
    real = [tier for tier in tiers if not tier.fast]
    if real:
        # The instance `test` is the tests' own; an earlier run's state would describe a cluster that is gone.
        shutil.rmtree(paths.pulumi_home(), ignore_errors=True)
        found += [_real(tier, asked.only) for tier in real]
        if paths.cluster().exists():
            cluster.stop()
    return results.report(found)


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


def _run(tier: Tier, only: str | None, *options: str) -> Result:
    """Run a tier's command or its tests, as far as they are asked for."""
    began = time.monotonic()
    say(f"\n== {tier.name}")
    if tier.command:
        words = [str(word) for word in tier.command]
        good = subprocess.run(words, cwd=paths.REPOSITORY, check=False).returncode == 0
        result = Result(tier.name, passed=int(good), failed=int(not good))
    else:
        result = run_tests(tier, only or tier.folder, *options)
    result.seconds = time.monotonic() - began
    return result


def run_tests(tier: Tier, tests: str, *options: str) -> Result:
    """Run pytest on `tests`; when it ends without a report, that is a failure of the tier."""
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "junit.xml"
        words = [sys.executable, "-m", "pytest", "-q", tests, f"--junitxml={report}"]
        words += ["-o", "junit_family=xunit1", *options]
        code = subprocess.run(words, cwd=paths.REPOSITORY, stdin=subprocess.DEVNULL, check=False).returncode
        result = results.read(tier.name, report) if report.exists() else Result(tier.name)
    if code not in (0, 1) and not result.failed:
        result.failed += 1
        result.notes.append(f"pytest ended with {code}")
    return result


def _real(tier: Tier, only: str | None) -> Result:
    """A tier on the real thing: what it needs is built first, or its absence is the reason of the skip."""
    assert tier.prepare is not None
    began = time.monotonic()
    try:
        machine.require()
    except Refusal as refusal:
        return Result(tier.name, skipped=1, notes=[str(refusal)])
    try:
        tier.prepare()
    except Refusal as refusal:
        return Result(tier.name, failed=1, seconds=time.monotonic() - began, notes=[str(refusal)])
    result = _twice(tier, only)
    result.seconds = time.monotonic() - began
    return result


def _twice(tier: Tier, only: str | None) -> Result:
    """Real processes on a shared machine fail now and then for reasons of the machine. What fails runs once
    more, and what passes then is named in the table: it is never hidden, and twice failed is failed."""
    first = _run(tier, only)
    if not first.failed:
        return first
    second = _run(tier, only, "--last-failed", "--last-failed-no-failures=none")
    if not second.passed + second.failed:
        return first
    names = [note.removeprefix("failed: ") for note in first.notes if note.startswith("failed: ")]
    again = {note.removeprefix("failed: ") for note in second.notes}
    second.notes += [f"passed at the second try: {name}" for name in names if name not in again]
    second.passed += first.passed
    second.skipped += first.skipped
    second.cases = first.cases + second.cases
    return second


if __name__ == "__main__":
    sys.exit(main())
