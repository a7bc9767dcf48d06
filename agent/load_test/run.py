"""A run: the cells of a ladder one after the other, each written to the bucket when it is measured.

If a run was killed, or cells were rejected, the next run of the same ladder on the same release continues it.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from agent.load_test.cell import Cell
from agent.load_test.storage import Storage

Event = Mapping[str, Any]
"""One line of the Job's log. `event` is run, begin, cell or end."""


@dataclass(frozen=True)
class Plan:
    """Cells to measure, and their release. `baseline` is the object of the slice's baseline."""

    release: str
    model: str
    ladder: str
    cells: tuple[Cell, ...]
    baseline: str | None

    @property
    def header(self) -> dict[str, Any]:
        """Returns the description that two runs share if one continues the other."""
        return {
            "release": self.release,
            "model": self.model,
            "ladder": self.ladder,
            "cells": [asdict(cell) for cell in self.cells],
        }


def events(plan: Plan, storage: Storage, measure: Callable[[Cell], dict[str, Any]]) -> Iterator[Event]:
    """Yields the run's events, and measures the cells that it lacks."""
    run = _unfinished(plan, storage)
    continued = run is not None
    if run is None:
        run = f"load-tests/{plan.release}/{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
        storage.create(f"{run}/run.json", plan.header)
    done = [result for cell in plan.cells if (result := storage.read(f"{run}/{cell.name}.json")) is not None]
    baseline = storage.read(plan.baseline) if plan.baseline else None
    yield {"event": "run", "run": run, "continued": continued, "cells": done, "baseline": baseline}
    results = {result["cell"]: result for result in done}
    for cell in plan.cells:
        if cell.name in results:
            continue
        yield {"event": "begin", "cell": cell.name}
        result = measure(cell)
        results[cell.name] = result
        if result["state"] == "measured":
            storage.create(f"{run}/{cell.name}.json", result)
        yield {"event": "cell", "result": result}
    yield _end(plan, storage, run, [results[cell.name] for cell in plan.cells])


def _end(plan: Plan, storage: Storage, run: str, results: Sequence[Mapping[str, Any]]) -> Event:
    complete = all(result["state"] == "measured" for result in results)
    if complete:
        storage.create(f"{run}.json", {**plan.header, "finished": round(time.time()), "results": results})
    return {"event": "end", "complete": complete, "object": f"{run}.json" if complete else None}


def _unfinished(plan: Plan, storage: Storage) -> str | None:
    """Returns the latest run of the same plan that has not finished."""
    names = set(storage.names(f"load-tests/{plan.release}/"))
    heads = sorted((name for name in names if name.endswith("/run.json")), reverse=True)
    for head in heads:
        run = head.removesuffix("/run.json")
        if f"{run}.json" not in names and storage.read(head) == plan.header:
            return run
    return None
