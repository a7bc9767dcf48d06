"""Results of one run: the table at the end, and the seconds of each test file."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from tools.support import paths
from tools.support.progress import say


@dataclass(frozen=True)
class Case:
    """One test: its file and its seconds, with the fixtures that were made for it."""

    file: str
    name: str
    seconds: float


@dataclass
class Result:
    """Counts of one tier; `notes` holds the reasons of skips and the names of failures."""

    name: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list[str])
    cases: list[Case] = field(default_factory=list[Case])


def read(name: str, report: Path) -> Result:
    """The result that pytest has written as JUnit XML of the family `xunit1`, which names files."""
    result = Result(name)
    for case in ElementTree.parse(report).iter("testcase"):
        label = f"{case.get('classname')}::{case.get('name')}"
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            result.failed += 1
            result.notes.append(f"failed: {label}")
        elif skip is not None:
            result.skipped += 1
            result.notes.append(f"skipped: {label}: {skip.get('message')}")
        else:
            result.passed += 1
        file, test = case.get("file", label), case.get("name", "")
        result.cases.append(Case(file, test, float(case.get("time", 0))))
    return result


def report(results: Sequence[Result]) -> int:
    """Print the table; 0 when nothing failed and, under CI=true, nothing was skipped."""
    say("\ntier         passed  failed  skipped   seconds")
    for result in results:
        counts = f"{result.passed:>8}{result.failed:>8}{result.skipped:>9}{result.seconds:>10.1f}"
        say(f"{result.name:<11}{counts}")
        for note in result.notes:
            say(f"    {note}")
    if any(result.cases for result in results):
        say(f"Seconds of each test file: {write_seconds(results)}")
    passed, failed, skipped = (
        sum(getattr(result, what) for result in results) for what in ("passed", "failed", "skipped")
    )
    strict = os.environ.get("CI") == "true"
    if strict and skipped:
        say("CI=true: a skipped test counts as a failure here.")
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return int(bool(failed or (strict and skipped)))


def write_seconds(results: Sequence[Result]) -> Path:
    """Write the seconds of each test file, tier by tier and slowest first, into a file among the logs."""
    lines: list[str] = []
    for result in results:
        if not result.cases:
            continue
        inside = sum(case.seconds for case in result.cases)
        # pytest's own start, imports and, of a tier on the real thing, what was built for it.
        outside = max(0.0, result.seconds - inside)
        lines += [f"{result.name}: {inside:.1f} s in tests, {outside:.1f} s before and between them", ""]
        lines.append(f"{'seconds':>9}{'tests':>7}  file, and its slowest test")
        files: dict[str, list[Case]] = {}
        for case in result.cases:
            files.setdefault(case.file, []).append(case)
        for file, cases in sorted(files.items(), key=lambda item: -_sum(item[1])):
            slowest = max(cases, key=lambda case: case.seconds)
            lines.append(f"{_sum(cases):>9.2f}{len(cases):>7}  {file}")
            lines.append(f"{'':>16}  {slowest.seconds:>9.2f}  {slowest.name}")
        lines.append("")
    file = paths.logs() / "test-seconds.txt"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines), "utf-8")
    return file


def _sum(cases: Sequence[Case]) -> float:
    return sum(case.seconds for case in cases)
