"""A run: its objects in the bucket, and what a killed or rejected one leaves for the next."""

import itertools
from typing import Any

import pytest

from agent import load_test
from agent.load_test.cell import Cell
from agent.load_test.run import Plan, events
from agent.load_test.storage import Memory

CELLS = tuple(Cell(concurrency=number, prompt_tokens=64, output_tokens=8, requests=8) for number in (1, 2, 4))
PLAN = Plan(
    release="ab12cd34", model="tiny", ladder="local", cells=CELLS, baseline="baselines/v6e-4/tiny.json"
)


class Meter:
    """Measures cells without a server: it counts them, and rejects those that the test names."""

    def __init__(self, *rejects: int) -> None:
        self.cells: list[int] = []
        self.rejects = rejects

    def __call__(self, cell: Cell) -> dict[str, Any]:
        self.cells.append(cell.concurrency)
        state = "rejected" if cell.concurrency in self.rejects else "measured"
        return {"cell": cell.name, "state": state, "seed": len(self.cells)}


def kinds(found: list[Any]) -> list[str]:
    return [event["event"] for event in found]


def test_a_run_measures_every_cell_once_and_leaves_its_results() -> None:
    storage, meter = Memory(), Meter()
    storage.create("baselines/v6e-4/tiny.json", {"ladder": []})
    found = list(events(PLAN, storage, meter))
    assert kinds(found) == ["run", *["begin", "cell"] * 3, "end"]
    assert found[0]["baseline"] == {"ladder": []} and not found[0]["continued"]
    assert meter.cells == [1, 2, 4]
    run = found[0]["run"]
    assert run.startswith("load-tests/ab12cd34/2")
    cells = [f"{run}/{cell.name}.json" for cell in CELLS]
    assert sorted(storage.names("load-tests/")) == sorted([f"{run}.json", *cells, f"{run}/run.json"])
    document = storage.read(f"{run}.json")
    assert [result["seed"] for result in document["results"]] == [1, 2, 3]
    assert (document["release"], document["ladder"], len(document["cells"])) == ("ab12cd34", "local", 3)


def test_a_killed_run_goes_on_with_the_missing_cells() -> None:
    storage = Memory()
    first = list(itertools.islice(events(PLAN, storage, Meter()), 5))
    assert kinds(first) == ["run", "begin", "cell", "begin", "cell"]
    meter = Meter()
    found = list(events(PLAN, storage, meter))
    assert meter.cells == [4]
    assert found[0]["run"] == first[0]["run"] and found[0]["continued"]
    assert [result["cell"] for result in found[0]["cells"]] == ["c1-p64-o8", "c2-p64-o8"]
    assert found[-1]["complete"] and storage.read(found[-1]["object"])


def test_a_rejected_cell_keeps_the_run_open() -> None:
    storage = Memory()
    found = list(events(PLAN, storage, Meter(2)))
    assert found[-1] == {"event": "end", "complete": False, "object": None}
    meter = Meter()
    assert list(events(PLAN, storage, meter))[-1]["complete"]
    assert meter.cells == [2]


@pytest.mark.parametrize(
    "other",
    [
        Plan(release="ffffffff", model="tiny", ladder="local", cells=CELLS, baseline=None),
        Plan(release="ab12cd34", model="tiny", ladder="gate", cells=CELLS, baseline=None),
        Plan(release="ab12cd34", model="tiny", ladder="local", cells=CELLS[:2], baseline=None),
    ],
)
def test_another_release_or_ladder_is_a_run_of_its_own(other: Plan) -> None:
    storage = Memory()
    next(events(PLAN, storage, Meter()))
    assert not next(events(other, storage, Meter()))["continued"]


def test_a_finished_run_is_not_continued(monkeypatch: pytest.MonkeyPatch) -> None:
    storage = Memory()
    times = iter(["20261129T100000Z", "20261129T110000Z"])
    monkeypatch.setattr("agent.load_test.run.time.strftime", lambda *_: next(times))
    list(events(PLAN, storage, Meter()))
    meter = Meter()
    assert not next(iter(found := list(events(PLAN, storage, meter))))["continued"]
    assert meter.cells == [1, 2, 4] and found[-1]["object"] == "load-tests/ab12cd34/20261129T110000Z.json"


def test_every_module_of_the_program_is_shipped() -> None:
    shipped = load_test.files()
    imported = {
        line.split()[1].replace(".", "/")
        for text in shipped.values()
        for line in text.splitlines()
        if line.startswith("from agent")
    }
    modules = {name.removesuffix(".py").removesuffix("/__init__") for name in shipped}
    assert imported <= modules
