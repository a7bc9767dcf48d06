"""The committed simulations: planner/expected/<key>.json.

`make simulate STACK=…` writes such a file. The key holds everything on which the result depends, so a plan
whose engine, model, slice, KV cache, load or SLO changed finds no file.
"""

import hashlib
import json
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from config.strict_model import StrictModel
from config.traffic.expected import ExpectedLoad
from config.traffic.load import Load
from serving.compilation.candidate import Candidate

FOLDER = Path(__file__).resolve().parents[2] / "planner" / "expected"

PLANNER_VERSION = 3
"""Version of planner/, its constants included. Raise it when a change there changes results, so that no
result of before is used."""


class Times(StrictModel):
    """Milliseconds that 50 and 95 % of the requests keep."""

    p50: float
    p95: float


class Cell(StrictModel):
    """Answer of one server, simulated, when the load is divided among `slices` of them."""

    slices: int = Field(ge=1)
    requests_per_second: float
    output_tokens_per_second: float
    time_to_first_token_ms: Times
    time_between_tokens_ms: Times | None = None
    """None for answers of one token."""
    limited_by: str


class Simulation(StrictModel):
    """Result of planner/ for one engine, one slice and one load."""

    key: str
    title: str
    load: str
    slo: str | None = None
    vllm: str
    constants: dict[str, float]
    """Fitted constants of planner/constants.py."""
    needed: int | None = None
    """The fewest slices that keep the SLO; None without an SLO, and if `refusal` says why there are none."""
    refusal: str | None = None
    """Sentence of planner/ on an engine that it does not model, a request that is too long, or an SLO that no
    number of slices keeps."""
    cells: tuple[Cell, ...] = Field(default=(), strict=False)
    """The needed number of slices, and the stack's own when the file was written."""

    def cell(self, slices: int) -> Cell | None:
        """Returns the answer with this number of slices, if it was simulated."""
        return next((cell for cell in self.cells if cell.slices == slices), None)


def key(candidate: Candidate, pages: int, expected: ExpectedLoad) -> str:
    """Returns a digest of everything on which the result depends, but the number of servers."""
    objective = expected.objective
    parts = {
        **engine_parts(candidate, pages),
        "load": _given(expected.requests),
        "slo": None if objective is None else [objective.first, objective.between],
    }
    return digest(parts)


def engine_parts(candidate: Candidate, pages: int) -> dict[str, Any]:
    """Returns everything apart from the load, from vLLM and from the constants on which a result depends."""
    return {
        "model": candidate.model.name,
        "accelerator": candidate.accelerator.name,
        "engine": candidate.engine.model_dump(mode="json"),
        "pages": pages,
        "planner": PLANNER_VERSION,
    }


def digest(parts: dict[str, Any]) -> str:
    """Returns the name of a file for these parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=vars).encode()).hexdigest()[:16]


def _given(load: Load) -> dict[str, Any]:
    """Returns the fields of a load that differ from their defaults, so that a new field changes no key."""
    return {
        field.name: value
        for field in fields(load)
        if (value := getattr(load, field.name)) != field.default or field.default is MISSING
    }


def read(name: str, folder: Path = FOLDER) -> Simulation | None:
    """Returns the simulation of this key, or None when nobody has run it.

    Raises ValueError when the file exists and is no simulation of this key.
    """
    file = folder / f"{name}.json"
    if not file.is_file():
        return None
    try:
        simulation = Simulation.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise ValueError(
            f"The file {file.name} is not a valid simulation ({error.error_count()} fields are wrong): "
            "delete it, or write it again with `make simulate`."
        ) from None
    if simulation.key != name:
        raise ValueError(
            f"The file {file.name} is the simulation {simulation.key}: delete it, or write it again with "
            "`make simulate`."
        )
    return simulation


def write(simulation: Simulation, folder: Path = FOLDER) -> Path:
    """Writes the file of a simulation and returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{simulation.key}.json"
    file.write_text(simulation.model_dump_json(indent=1, exclude_none=True) + "\n", "utf-8")
    return file
