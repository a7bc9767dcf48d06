"""Checks of what the server reports about itself: slow compilations, and misses of a restored cache."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.agent.sidecar.conftest import accept, write_events
from tests.unit.agent.sidecar.openai_server import OpenAIServer, Reply
from tests.unit.agent.sidecar.test_acceptance import MakeSettings, only, results, sentence


@pytest.mark.parametrize(
    ("late", "warm_up", "expected"),
    [
        (
            3,
            True,
            "3 programs took long after the warm-up, such as jit_step_0 with 2.5 s; the warm-up must prepare",
        ),
        (0, False, "The engine has not reported the end of its warm-up."),
        (
            None,
            True,
            "has no counts of compilations; the server needs the variable TPUSERVE_CACHE_EVENTS_FILE",
        ),
    ],
)
def test_compilation_in_traffic_rejects(
    server: OpenAIServer,
    settings: MakeSettings,
    tmp_path: Path,
    late: int | None,
    warm_up: bool,
    expected: str,
) -> None:
    chosen = settings(only("compiled"))
    if late is None:
        (tmp_path / "cache-events.json").write_text("{")
    else:
        write_events(tmp_path, late, warm_up=warm_up)
    verdict, _ = accept(chosen, server)
    assert verdict.state == "rejected" and expected in sentence(verdict, "compiled")


@pytest.mark.parametrize(
    ("argv", "state", "result"),
    [
        (["--compilation-config", '{"encoder_cudagraph_token_budgets": [280]}'], "rejected", "failed"),
        (["vllm"], "accepted", "warning"),
    ],
)
def test_a_first_image_may_compile_only_where_no_warm_up_prepares_it(
    server: OpenAIServer, settings: MakeSettings, tmp_path: Path, argv: list[str], state: str, result: str
) -> None:
    def fault(path: str, body: dict[str, Any], reply: Reply) -> None:
        write_events(tmp_path, late=2)

    server.fault = fault

    def change(content: dict[str, Any]) -> None:
        only("image", "compiled")(content)
        content["record"]["argv"] = argv

    verdict, _ = accept(settings(change), server)
    assert (verdict.state, results(verdict)["compiled"]) == (state, result)


@pytest.mark.parametrize(
    ("restored", "misses", "result", "expected"),
    [
        (None, 0, "skipped", "No compile cache was restored before this start (nothing was noted about it)."),
        ("none", 9, "skipped", "No compile cache was restored before this start (The sentence.)."),
        ("restored", 0, "passed", "The restored compile cache had all 48 programs."),
        (
            "restored",
            3,
            "warning",
            "The restored compile cache lacked 3 of 48 programs, so this start compiled",
        ),
    ],
)
def test_misses_of_a_restored_cache_are_a_warning(
    server: OpenAIServer,
    settings: MakeSettings,
    tmp_path: Path,
    restored: str | None,
    misses: int,
    result: str,
    expected: str,
) -> None:
    chosen = settings(only("cache_misses"))
    write_events(tmp_path, misses=misses)
    if restored is not None:
        status = f'{{"result": "{restored}", "sentence": "The sentence."}}'
        (tmp_path / "cache-restore.json").write_text(status)
    verdict, _ = accept(chosen, server)
    assert verdict.state == "accepted" and results(verdict)["cache_misses"] == result
    assert sentence(verdict, "cache_misses").startswith(expected)
