"""Verdict on the load that a stack expects: one line and the findings, from a committed simulation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from config.traffic import simulation
from config.traffic.expected import ExpectedLoad
from config.traffic.objective import SHARE
from config.traffic.simulation import Cell, Simulation
from serving.compilation.candidate import Candidate
from serving.messages.finding import Finding

LONGEST = 160
"""Characters of a line of the stack's outputs."""

FIELD = "expected_load"
COMMAND = "run `make simulate STACK=NAME` with this stack's name, and commit the file that it writes"


@dataclass(frozen=True)
class Verdict:
    """A stack's expected load with its simulation, if there is one."""

    expected: ExpectedLoad
    slice_name: str
    replicas: int
    simulation: Simulation | None
    problem: str | None = None
    """Sentence on a simulation that cannot be read."""

    @property
    def missing(self) -> bool:
        """Returns whether no result says how this number of servers answers the load."""
        return self.simulation is None or (
            self.simulation.refusal is None and self.simulation.needed is None and self.cell is None
        )

    @property
    def cell(self) -> Cell | None:
        """The answer of each of the stack's servers, if it was simulated."""
        return self.simulation.cell(self.replicas) if self.simulation else None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Findings about the load: warnings, because a simulation is no measurement."""
        return tuple(self._findings())

    @property
    def line(self) -> str:
        """One line with the simulated numbers, and the slices that the load needs beside those of the
        stack."""
        if self.problem:
            return f"not simulated: {self.problem}"[:LONGEST]
        if self.simulation is None or self.missing:
            return f"not simulated: {COMMAND}"
        if self.simulation.refusal:
            return f"not simulated: {self.simulation.refusal}"[:LONGEST]
        rate, needed = self.expected.requests.rate, self.simulation.needed
        asked = f"simulated, not measured: {rate:g} requests a second"
        if needed is not None:
            asked += f" need {needed:,} x {self.slice_name}, replicas is {self.replicas:,}"
        else:
            asked += f" on {self.replicas:,} x {self.slice_name}"
        cell = self.cell or (self.simulation.cell(needed) if needed is not None else None)
        return asked if cell is None else f"{asked}; {_times(cell, self.replicas)}"

    def _findings(self) -> Iterator[Finding]:
        asked = f"{FIELD}.load is '{self.expected.load}'"
        if self.problem:
            yield _warning("load-simulation-broken", FIELD, asked, self.problem.removesuffix("."), COMMAND)
            return
        if self.simulation is None or self.missing:
            truth = "nobody has simulated this engine with it, so nothing says whether it is answered in time"
            yield _warning("load-not-simulated", FIELD, asked, truth, COMMAND)
            return
        if self.simulation.refusal:
            change = "change engine or load, or remove it and measure with `make load-test`"
            yield _warning("load-refused", FIELD, asked, self.simulation.refusal.removesuffix("."), change)
            return
        if self.expected.slo is None:
            yield _warning(
                "load-without-slo",
                f"{FIELD}.slo",
                f"{asked} and {FIELD}.slo is not set",
                "no limit says which times are good enough, so that the slices that it needs are unknown",
                f"set {FIELD}.slo, for example to 'first=2000 between=60' in milliseconds",
            )
        elif self.simulation.needed is not None and self.simulation.needed > self.replicas:
            yield self._too_few(asked, self.simulation.needed)

    def _too_few(self, asked: str, needed: int) -> Finding:
        objective, cell = self.expected.objective, self.cell
        assert objective is not None
        missed = objective.missed(cell.model_dump()) if cell else []
        return _warning(
            "too-few-servers-for-load",
            "replicas",
            f"{asked} and replicas is {self.replicas:,}",
            f"the SLO needs {needed:,} x {self.slice_name} (simulated)"
            + (f", and with {self.replicas:,} {' and '.join(missed)}" if missed else ""),
            f"set replicas to {needed:,}, or raise the limits of {FIELD}.slo",
            {"replicas": needed},
        )


def _times(cell: Cell, replicas: int) -> str:
    """Returns the times of a cell, with its number of slices unless it is the stack's own."""
    between = cell.time_between_tokens_ms
    return (
        ("" if cell.slices == replicas else f"with {cell.slices:,}, ")
        + f"first token {cell.time_to_first_token_ms.p95:,.0f} ms"
        + (f" and between tokens {between.p95:,.0f} ms" if between else "")
        + f" at {SHARE}"
    )


def _warning(
    code: str, field: str, asked: str, truth: str, change: str, *changes: dict[str, object]
) -> Finding:
    return Finding("warning", code, field, asked, truth, change, changes)


def verdict(expected: ExpectedLoad, candidate: Candidate, pages: int, replicas: int) -> Verdict:
    """Returns the verdict on a stack's expected load; `pages` are those of its KV cache."""
    name, known, problem = simulation.key(candidate, pages, expected), None, None
    try:
        known = simulation.read(name)
    except ValueError as broken:
        problem = str(broken)
    return Verdict(expected, candidate.accelerator.name, replicas, known, problem)
