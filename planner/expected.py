"""Simulation of the load that a stack expects, for the file that plans read."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from config.traffic import simulation
from config.traffic.expected import ExpectedLoad
from config.traffic.load import Load
from config.traffic.simulation import Cell, Simulation, Times
from planner import slo, sweep
from planner.constants import Fitted
from serving.compilation.candidate import Candidate


def simulated(
    candidate: Candidate,
    pages: int,
    fitted: Fitted,
    version: str,
    expected: ExpectedLoad,
    replicas: int,
    result: Callable[[Load], Mapping[str, Any]],
) -> Simulation:
    """Returns the simulation with the fewest slices that keep the SLO, and with `replicas` of them.

    `version` is vLLM's, and `result` simulates a load. An engine that is not modeled, a request that is too
    long, and an SLO that no number of slices keeps become the refusal.
    """
    load, objective = expected.requests, expected.objective
    record = Simulation(
        key=simulation.key(candidate, pages, expected),
        title=f"{candidate.model.name} on {candidate.accelerator.name}",
        load=expected.load,
        slo=expected.slo,
        vllm=version,
        constants=asdict(fitted.constants),
    )
    try:
        sweep.check(candidate, [load], pages)
        needed = slo.plan(load, objective, result).slices if objective else None
    except ValueError as refusal:
        return record.model_copy(update={"refusal": str(refusal)})
    numbers = {replicas} if needed is None else {replicas, needed}
    cells = tuple(_cell(each, result(slo.share(load, each))) for each in sorted(numbers))
    return record.model_copy(update={"needed": needed, "cells": cells})


def _cell(slices: int, result: Mapping[str, Any]) -> Cell:
    between = result["time_between_tokens_ms"]
    return Cell(
        slices=slices,
        requests_per_second=round(result["requests_per_second"], 3),
        output_tokens_per_second=round(result["output_tokens_per_second"], 1),
        time_to_first_token_ms=_times(result["time_to_first_token_ms"]),
        time_between_tokens_ms=_times(between) if between else None,
        limited_by=result["limited_by"],
    )


def _times(times: Mapping[str, float]) -> Times:
    return Times(p50=round(times["p50"], 1), p95=round(times["p95"], 1))
