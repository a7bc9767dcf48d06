"""The ladder: its cells, its limits, the slice's baseline, and the second measurement of a slow cell."""

import json
import math
import time
from collections.abc import Callable
from typing import Any

import pytest

from agent.sidecar import ladder as ladder_module
from agent.sidecar import records
from agent.sidecar.ladder import percentiles
from agent.sidecar.run import Run
from agent.sidecar.settings import Settings
from agent.sidecar.verdict import Cell, Percentiles, Verdict
from agent.store.gcp_api import Problem, Status
from tests.unit.agent.sidecar.conftest import STORE, Bucket, Change, accept
from tests.unit.agent.sidecar.openai_server import OpenAIServer, Reply
from tests.unit.agent.sidecar.test_acceptance import only, results, sentence

MakeSettings = Callable[..., Settings]
COMPLETIONS = "/v1/completions"
NEVER = 1e9
"""Milliseconds that no cell takes."""


def with_limits(first: float | None = None, between: float | None = None, store: bool = False) -> Change:
    """Leaves the ladder of two cells, with limits in milliseconds."""

    def change(content: dict[str, Any]) -> None:
        only("ladder")(content)
        content["acceptance"]["limits"] = {"time_to_first_token_ms": first, "time_between_tokens_ms": between}
        content["acceptance"]["ladder"]["concurrency"] = [4, 2]
        content["store"] = STORE if store else None

    return change


def slow(delay: float = 0.0, pause: float = 0.0) -> Callable[..., None]:
    """Delays first tokens, and pauses between tokens."""

    def fault(path: str, body: dict[str, Any], reply: Reply) -> None:
        if path == COMPLETIONS:
            reply.delay, reply.pause = delay, pause

    return fault


def baseline_of(first: float, between: float, **fields: int) -> str:
    """Returns a baseline in which both cells have these medians."""
    same = {"prompt_tokens": 64, "output_tokens": 4, "requests": 4, "failures": 0, **fields}
    times = {
        "time_to_first_token_ms": {"p50": first, "p95": first},
        "time_between_tokens_ms": {"p50": between, "p95": between},
    }
    cells = [{"concurrency": number, **same, **times, "output_tokens_per_second": 9.0} for number in (2, 4)]
    return json.dumps({"release": "first", "accepted": 1.0, "ladder": cells})


def test_cells_are_cut_at_what_the_server_runs_and_have_their_times(
    server: OpenAIServer, settings: MakeSettings
) -> None:
    verdict, _ = accept(settings(only("ladder")), server)
    assert verdict.state == "accepted"
    assert [(cell.concurrency, cell.requests, cell.failures) for cell in verdict.ladder] == [
        (1, 2, 0),
        (4, 8, 0),
        (8, 16, 0),
    ]
    for cell in verdict.ladder:
        first, between = cell.time_to_first_token_ms, cell.time_between_tokens_ms
        assert first and between and 0 < first.p50 <= first.p95 and 0 <= between.p50 <= between.p95
        assert cell.output_tokens_per_second > 0
    assert {len(body["prompt"]) for body in server.bodies(COMPLETIONS)} == {64}


def test_prompts_leave_room_for_the_answer(server: OpenAIServer, settings: MakeSettings) -> None:
    def change(content: dict[str, Any]) -> None:
        with_limits()(content)
        content["acceptance"]["ladder"]["prompt_tokens"] = 100_000

    verdict, _ = accept(settings(change), server)
    assert {len(body["prompt"]) for body in server.bodies(COMPLETIONS)} == {508}
    assert {cell.prompt_tokens for cell in verdict.ladder} == {508}


@pytest.mark.parametrize(
    ("limits", "fault", "begins", "ends"),
    [
        (
            with_limits(first=20),
            slow(delay=0.05),
            "At concurrency 2 the median time to first token is ",
            " ms, above acceptance.limits.time_to_first_token_ms = 20.",
        ),
        (
            with_limits(between=5),
            slow(pause=0.05),
            "At concurrency 2 the median time between tokens is ",
            " ms, above acceptance.limits.time_between_tokens_ms = 5.",
        ),
    ],
)
def test_a_time_above_its_limit_rejects(
    server: OpenAIServer, settings: MakeSettings, limits: Change, fault: Any, begins: str, ends: str
) -> None:
    server.fault = fault
    verdict, _ = accept(settings(limits), server)
    text = sentence(verdict, "ladder")
    assert verdict.state == "rejected" and text.startswith(begins) and text.endswith(ends)
    assert "; at concurrency 4 the median" in text
    assert len(server.bodies(COMPLETIONS)) == 2 * (4 + 8)


def test_times_within_their_limits_are_accepted(server: OpenAIServer, settings: MakeSettings) -> None:
    verdict, _ = accept(settings(with_limits(NEVER, NEVER)), server)
    assert verdict.state == "accepted" and len(server.bodies(COMPLETIONS)) == 4 + 8


@pytest.mark.parametrize(
    ("medians", "state"),
    [((2000, 10, 10), "accepted"), ((2000, 1600, 10), "rejected"), ((10, 10), "accepted")],
)
def test_a_slow_cell_is_measured_once_more_and_the_second_result_counts(
    server: OpenAIServer,
    settings: MakeSettings,
    monkeypatch: pytest.MonkeyPatch,
    medians: tuple[int, ...],
    state: str,
) -> None:
    left = [*medians]

    async def measure(run: Run, concurrency: int) -> Cell:
        cell = json.loads(baseline_of(left.pop(0), 1))["ladder"][0]
        return Cell.model_validate(cell | {"concurrency": concurrency})

    monkeypatch.setattr(ladder_module, "measure", measure)
    verdict, _ = accept(settings(with_limits(first=1500)), server)
    assert verdict.state == state and left == []
    assert [cell.concurrency for cell in verdict.ladder] == [2, 4]


@pytest.mark.parametrize(
    ("fault", "baseline", "expected"),
    [
        (
            slow(delay=0.05),
            baseline_of(10, NEVER),
            " ms, above 1.5 times the 10.0 ms of baselines/v6e-4/gemma.json",
        ),
        (
            slow(pause=0.05),
            baseline_of(NEVER, 3),
            " ms, above 1.5 times the 3.0 ms of baselines/v6e-4/gemma.json",
        ),
    ],
)
def test_a_time_too_far_above_the_baseline_rejects(
    server: OpenAIServer, settings: MakeSettings, bucket: Bucket, fault: Any, baseline: str, expected: str
) -> None:
    server.fault = fault
    bucket[STORE["baseline"]] = baseline
    verdict, _ = accept(settings(with_limits(store=True)), server)
    assert verdict.state == "rejected" and expected in sentence(verdict, "ladder")
    assert verdict.baseline == STORE["baseline"]


@pytest.mark.parametrize(
    "baseline",
    [baseline_of(NEVER, NEVER), baseline_of(1e-9, 1e-9, prompt_tokens=2048)],
    ids=["slower", "other"],
)
def test_a_slower_baseline_or_one_of_other_requests_rejects_nothing(
    server: OpenAIServer, settings: MakeSettings, bucket: Bucket, baseline: str
) -> None:
    bucket[STORE["baseline"]] = baseline
    verdict, _ = accept(settings(with_limits(store=True)), server)
    assert verdict.state == "accepted" and "compared with baselines/v6e-4" in sentence(verdict, "ladder")


def test_the_first_run_on_a_slice_has_no_baseline(
    server: OpenAIServer, settings: MakeSettings, bucket: Bucket
) -> None:
    verdict, _ = accept(settings(with_limits(store=True)), server)
    assert verdict.state == "accepted" and verdict.baseline is None
    assert "without a baseline" in sentence(verdict, "ladder")


def _stuck(bucket: str, name: str) -> bytes:
    time.sleep(0.3)
    return b"{}"


@pytest.mark.parametrize(
    ("problem", "why"),
    [
        (
            Problem("storage.googleapis.com does not answer (timed out)"),
            "storage.googleapis.com does not answer",
        ),
        (Status(403, "Forbidden"), "HTTP 403: Forbidden"),
        ("{", "the object: Invalid JSON"),
        ('{"release": "a", "accepted": 1}', "ladder: Field required"),
        (None, "no answer in 0 s"),
    ],
    ids=str,
)
def test_a_baseline_that_cannot_be_read_is_a_warning(
    server: OpenAIServer,
    settings: MakeSettings,
    bucket: Bucket,
    monkeypatch: pytest.MonkeyPatch,
    problem: Exception | str | None,
    why: str,
) -> None:
    if problem is None:
        monkeypatch.setattr(records, "READ_SECONDS", 0.01)
        monkeypatch.setattr(records.gcs, "read", _stuck)
    elif isinstance(problem, str):
        bucket[STORE["baseline"]] = problem
    else:
        bucket.problem = problem
    verdict, _ = accept(settings(with_limits(store=True)), server)
    assert (verdict.state, results(verdict)["ladder"]) == ("accepted", "warning")
    assert sentence(verdict, "ladder").startswith(
        f"The ladder was not compared: gs://artifacts/baselines/v6e-4/gemma.json cannot be read ({why}"
    )


@pytest.mark.parametrize(
    ("values", "p50", "p95"),
    [([3.0], 3.0, 3.0), ([2.0, 1.0], 1.0, 2.0), ([float(n) for n in range(1, 101)], 50.0, 95.0)],
)
def test_percentiles_are_those_of_the_nearest_rank(values: list[float], p50: float, p95: float) -> None:
    assert percentiles(values) == Percentiles(p50=p50, p95=p95)


def test_no_value_has_no_percentile() -> None:
    assert percentiles([]) is None


def test_verdicts_with_failures_are_valid_json(server: OpenAIServer, settings: MakeSettings) -> None:
    """JSON has no infinity, and a cell without an answer has no time."""
    server.fault = lambda path, body, reply: vars(reply).update(status=503) if path == COMPLETIONS else None
    verdict, _ = accept(settings(only("ladder")), server)
    text = verdict.model_dump_json()
    assert math.inf not in json.loads(text)["ladder"][0].values()
    assert Verdict.model_validate_json(text) == verdict and verdict.ladder[0].failures == 2
