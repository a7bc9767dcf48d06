"""The verdict on an expected load: the line of the outputs and the finding of each case."""

from pathlib import Path
from typing import Any

import pytest

from config.selection import from_settings
from config.settings import Settings
from config.traffic import simulation
from config.traffic.expected import ExpectedLoad
from config.traffic.verdict import LONGEST, Verdict
from serving.memory.budget import budget
from stacks.plan import plan
from tests.unit.config.traffic.test_simulation import EXPECTED, RECORD

IMAGE = f"vllm/vllm-tpu:v0.32.0@sha256:{'a' * 64}"
STACK: dict[str, Any] = {
    "target": {
        "kind": "gke",
        "project": "a-project",
        "zone": "us-east5-b",
        "capacity": {"kind": "on-demand"},
    },
    "model_revision": "0" * 40,
    "image": IMAGE,
    "expected_load": {"load": EXPECTED.load, "slo": EXPECTED.slo},
}
ONE = RECORD.cells[0].model_copy(
    update={"slices": 1, "time_to_first_token_ms": simulation.Times(p50=4000.0, p95=8000.0)}
)
BOTH = RECORD.model_copy(update={"cells": (ONE, *RECORD.cells)})
REFUSAL = (
    "Even 1,024 slices do not keep the SLO: between is 12 ms at p95, and 5 is the limit; raise the limit."
)
NO_SLO = RECORD.model_copy(update={"needed": None, "slo": None})
REFUSED = RECORD.model_copy(update={"needed": None, "refusal": REFUSAL, "cells": ()})
COMMAND = "run `make simulate STACK=NAME` with this stack's name, and commit the file that it writes"
ASKED = f"expected_load.load is '{EXPECTED.load}'"
NUMBERS = "first token 900 ms and between tokens 40 ms at p95"

CASES = [
    (
        "enough",
        Verdict(EXPECTED, "v6e-4", 2, BOTH),
        f"simulated, not measured: 20 requests a second need 2 x v6e-4, replicas is 2; {NUMBERS}",
        None,
    ),
    (
        "more than enough",
        Verdict(EXPECTED, "v6e-4", 3, BOTH),
        "simulated, not measured: 20 requests a second need 2 x v6e-4, replicas is 3; with 2, first token "
        "900 ms and between tokens 40 ms at p95",
        None,
    ),
    (
        "too few",
        Verdict(EXPECTED, "v6e-4", 1, BOTH),
        "simulated, not measured: 20 requests a second need 2 x v6e-4, replicas is 1; first token 8,000 ms "
        "and between tokens 40 ms at p95",
        f"{ASKED} and replicas is 1: the SLO needs 2 x v6e-4 (simulated), and with 1 first is 8,000 ms at "
        "p95, "
        "and 2000 is the limit; set replicas to 2, or raise the limits of expected_load.slo.",
    ),
    (
        "too few, which were not simulated",
        Verdict(EXPECTED, "v6e-4", 1, RECORD),
        "simulated, not measured: 20 requests a second need 2 x v6e-4, replicas is 1; with 2, first token "
        "900 ms and between tokens 40 ms at p95",
        f"{ASKED} and replicas is 1: the SLO needs 2 x v6e-4 (simulated); set replicas to 2, or raise the "
        "limits "
        "of expected_load.slo.",
    ),
    (
        "no simulation",
        Verdict(EXPECTED, "v6e-4", 2, None),
        f"not simulated: {COMMAND}",
        f"{ASKED}: nobody has simulated this engine with it, so nothing says whether it is answered in "
        "time; "
        f"{COMMAND}.",
    ),
    (
        "refused",
        Verdict(
            EXPECTED, "v6e-4", 2, RECORD.model_copy(update={"needed": None, "refusal": REFUSAL, "cells": ()})
        ),
        f"not simulated: {REFUSAL}",
        f"{ASKED}: {REFUSAL.removesuffix('.')}; change engine or load, or remove it and measure with `make "
        "load-test`.",
    ),
    (
        "no SLO",
        Verdict(ExpectedLoad(load=EXPECTED.load), "v6e-4", 2, NO_SLO),
        f"simulated, not measured: 20 requests a second on 2 x v6e-4; {NUMBERS}",
        f"{ASKED} and expected_load.slo is not set: no limit says which times are good enough, so that "
        "the slices "
        "that it needs are unknown; set expected_load.slo, for example to 'first=2000 between=60' in "
        "milliseconds.",
    ),
    (
        "no SLO, and another number of servers",
        Verdict(ExpectedLoad(load=EXPECTED.load), "v6e-4", 3, NO_SLO),
        f"not simulated: {COMMAND}",
        f"{ASKED}: nobody has simulated this engine with it, so nothing says whether it is answered in "
        "time; "
        f"{COMMAND}.",
    ),
    (
        "broken",
        Verdict(EXPECTED, "v6e-4", 2, None, "The file x.json is broken: delete it."),
        "not simulated: The file x.json is broken: delete it.",
        f"{ASKED}: The file x.json is broken: delete it; {COMMAND}.",
    ),
]


@pytest.mark.parametrize(
    ("verdict", "line", "sentence"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_the_line_and_the_finding(verdict: Verdict, line: str, sentence: str | None) -> None:
    assert verdict.line == line
    assert [str(finding) for finding in verdict.findings] == ([] if sentence is None else [sentence])
    assert all(finding.severity == "warning" for finding in verdict.findings), "a simulation stops nothing"
    assert len(verdict.line) <= LONGEST


def test_answers_of_one_token_have_no_time_between_tokens() -> None:
    cell = RECORD.cells[0].model_copy(update={"time_between_tokens_ms": None})
    verdict = Verdict(EXPECTED, "v6e-4", 2, RECORD.model_copy(update={"cells": (cell,)}))
    assert verdict.line.endswith("; first token 900 ms at p95")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the simulations, with one of the stack's engine and load."""
    monkeypatch.setattr(simulation.read, "__defaults__", (tmp_path,))
    settings = Settings.parse(STACK)
    proved = from_settings("mine", settings).proved
    assert settings.expected_load is not None
    key = simulation.key(proved, budget(proved).pool.pages, settings.expected_load)
    simulation.write(BOTH.model_copy(update={"key": key}), tmp_path)
    return tmp_path


def test_plans_and_explain_read_the_same_verdict(folder: Path) -> None:
    for replicas, codes in ((1, ["too-few-servers-for-load"]), (2, list[str]())):
        settings = Settings.parse({**STACK, "replicas": replicas})
        planned, selected = plan(settings, IMAGE), from_settings("mine", settings)
        assert planned.load == selected.load_verdict
        of_load = [finding.code for finding in planned.findings if "load" in finding.code]
        assert of_load == [finding.code for finding in selected.findings if "load" in finding.code] == codes


def test_the_advice_of_the_finding_makes_it_go_away(folder: Path) -> None:
    (finding,) = [
        finding
        for finding in plan(Settings.parse(STACK), IMAGE).findings
        if finding.code == "too-few-servers-for-load"
    ]
    (change,) = finding.changes
    assert not [
        each
        for each in plan(Settings.parse({**STACK, **change}), IMAGE).findings
        if each.code == "too-few-servers-for-load"
    ]


def test_a_file_that_cannot_be_read_stops_no_plan(folder: Path) -> None:
    (file,) = folder.iterdir()
    file.write_text("{")
    planned = plan(Settings.parse(STACK), IMAGE)
    assert planned.load is not None and planned.load.line.startswith("not simulated: The file ")
    assert "load-simulation-broken" in [finding.code for finding in planned.findings]


def test_a_stack_without_an_expected_load_has_no_verdict() -> None:
    settings = Settings.parse({key: value for key, value in STACK.items() if key != "expected_load"})
    assert plan(settings, IMAGE).load is None
    assert from_settings("mine", settings).load_verdict is None
