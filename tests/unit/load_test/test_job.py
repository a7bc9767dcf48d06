"""The Job's life as the command sees it: started once, followed through retries, explained when it fails."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from load_test import job
from load_test.ladders import FIXED
from load_test.results import Results
from operate.access import Access
from tests.unit.load_test.cells import result
from tools.support.progress import Refusal

CELLS = FIXED["local"].cells
COMPLETE = [{"type": "Complete", "status": "True"}]
RUN = {"event": "run", "run": "load-tests/ab12cd34/T", "continued": False, "cells": [], "baseline": None}
END = {"event": "end", "complete": True, "object": "load-tests/ab12cd34/T.json"}


def cell(concurrency: int) -> dict[str, Any]:
    return {"event": "cell", "result": result(concurrency)}


@dataclass(frozen=True)
class Cluster(Access):
    """A cluster with one Job. `logs` are the texts of its pods' logs, the first pod first."""

    jobs: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    logs: list[list[Any]] = field(default_factory=list[list[Any]])
    end: list[dict[str, Any]] = field(default_factory=lambda: COMPLETE)
    commands: list[str] = field(default_factory=list[str])
    started: list[int] = field(default_factory=list[int])

    def kubectl(self, *words: str, given: str | None = None) -> str:
        self.commands.append(words[0])
        return ""

    def items(self, kind: str, selector: str) -> list[dict[str, Any]]:
        assert selector == job.SELECTOR
        if kind == "jobs":
            if self.jobs and len(self.started) == len(self.logs):
                return [{**self.jobs[0], "status": {"conditions": self.end}}]
            return self.jobs
        number = len(self.started)
        metadata = {"name": f"load-test-{number}", "creationTimestamp": "2026-11-29T10:00:00Z"}
        return [{"metadata": metadata, "status": {"phase": "Running"}}]

    def lines(self, *words: str) -> Iterator[str]:
        self.started.append(1)
        for line in self.logs[len(self.started) - 1]:
            yield f"{line if isinstance(line, str) else json.dumps(line)}\n"


def cluster(*, ladder: str | None = None, **options: Any) -> Cluster:
    """Returns a cluster, with a Job of `ladder` if one is given."""
    jobs = [{"metadata": {"labels": {"tpuserve/ladder": ladder}}}] if ladder else []
    return Cluster("staging", ("kubectl",), "tpuserve-staging", "log in", jobs=jobs, **options)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job.time, "sleep", lambda _: None)


def test_a_load_test_is_started_after_what_an_earlier_one_left_is_removed() -> None:
    empty = cluster()
    job.start(empty, [], "gate")
    assert empty.commands == ["delete", "create"]
    ended = cluster(ladder="seed", logs=[])
    job.start(ended, [], "gate")
    assert ended.commands == ["delete", "create"]


def test_a_running_load_test_is_followed_and_not_started_twice() -> None:
    running = cluster(ladder="gate", logs=[[]])
    job.start(running, [], "gate")
    assert running.commands == []


def test_a_running_load_test_with_another_ladder_is_kept() -> None:
    with pytest.raises(Refusal) as refusal:
        job.start(cluster(ladder="grid", logs=[[]]), [], "gate")
    assert str(refusal.value) == (
        "A load test with LADDER=grid is running on staging: follow it with that, or end it with "
        "`kubectl -n tpuserve-staging delete job load-test`."
    )


def test_the_cells_of_all_attempts_are_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    killed = [RUN, cell(1), "Killed"]
    again = {**RUN, "continued": True, "cells": [result(1)]}
    logs = [killed, [again, cell(2), cell(4), END]]
    results = Results(cells=CELLS)
    job.follow(cluster(ladder="local", logs=logs), results)
    assert results.object == END["object"] and len(results.in_order) == 3
    shown = capsys.readouterr().err
    assert [shown.count(f"{number}/3") for number in (1, 2, 3)] == [1, 1, 1]


FAILED = [{"type": "Failed", "status": "True", "message": "Job has reached the specified backoff limit"}]
EARLY = [
    (
        [RUN, {"event": "problem", "sentence": "The results cannot be kept in gs://b: HTTP 403: no."}],
        "The results cannot be kept in gs://b: HTTP 403: no",
    ),
    ([RUN, cell(1), "ImportError: no tokenizers"], "ImportError: no tokenizers"),
    ([], "Job has reached the specified backoff limit"),
]


@pytest.mark.parametrize(("log", "reason"), EARLY)
def test_a_load_test_that_ends_early_says_why(log: list[Any], reason: str) -> None:
    with pytest.raises(Refusal) as refusal:
        job.follow(cluster(ladder="local", logs=[log], end=FAILED), Results(cells=CELLS))
    assert str(refusal.value) == (
        f"The load test ended early: {reason}. Run it again: cells that are in the bucket are not measured "
        "again."
    )
