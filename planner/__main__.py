"""`python -m planner`: what an engine would answer under a load, simulated without a TPU.

simulate       one load or a ladder, as a table, JSON and two charts
compare        results of a load test beside the simulation, cell by cell, with constants fitted on them
fit            fits the constants on published cells again, and prints each cell's error

It runs in the model server's environment, which `make simulate` and `make compare` find.
"""

import argparse
import json
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

from config.selection import Selection, add_options, add_price_options, from_options
from config.traffic import load, objective
from config.traffic.load import Length, Load
from load_test import charts
from load_test.ladders import FIXED, Ladder
from planner import constants, fit_report, measured_files, report, slo, sweep
from planner.fit import FREE
from serving.compilation.candidate import Candidate
from serving.findings import findings, refuse_errors
from serving.memory.budget import budget

FOLDER = Path("simulations")
"""Folder of this clone that keeps finished cells and gets the charts."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0, or 2 for an engine, a load or an option that is refused."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except ValueError as refusal:
        print(refusal, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted. The same command goes on from the last finished cell.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m planner", description="The load test without a TPU: simulated, never measured."
    )
    commands = parser.add_subparsers(required=True)
    simulated = commands.add_parser("simulate", help="one load or a ladder on an engine")
    add_options(simulated)
    listed = "; ".join(f"{ladder.name}: {ladder.purpose}" for ladder in FIXED.values())
    what = simulated.add_mutually_exclusive_group()
    what.add_argument("--load", help=load.FORM)
    what.add_argument("--ladder", choices=FIXED, help=f"{listed} (default seed)")
    simulated.add_argument("--slo", help=f"slices that a load with a rate needs: {objective.FORM}")
    add_price_options(simulated)
    simulated.add_argument("--json", action="store_true", help="print JSON")
    simulated.set_defaults(run=_simulate)
    compared = commands.add_parser("compare", help="results of a load test beside the simulation")
    add_options(compared)
    compared.add_argument(
        "files", nargs="+", type=Path, help="a finished run of make load-test, or results of vllm bench serve"
    )
    compared.set_defaults(run=_compare)
    fitted = commands.add_parser("fit", help="fit the constants again")
    fitted.set_defaults(run=_fit)
    return parser


def _simulate(options: argparse.Namespace) -> int:
    (selection,) = from_options(options, Path.cwd())
    loads = [load.parse(options.load)] if options.load else ladder_loads(FIXED[options.ladder or "seed"])
    candidate = selection.proved
    fitted = constants.fitted(candidate.model.name)
    refuse_errors(findings(candidate))
    pages = budget(candidate).pool.pages
    sweep.check(candidate, loads, pages)
    if options.slo:
        return _plan(options, candidate, loads[0], lambda load: sweep.result(candidate, pages, fitted, load))
    folder = FOLDER / sweep.key(candidate, pages, fitted, metadata.version("vllm-tpu"))
    results = sweep.sweep(candidate, pages, fitted, loads, folder / "cells.jsonl", _tell)
    _show(selection, results, options.json, folder)
    return 0


def _plan(
    options: argparse.Namespace,
    candidate: Candidate,
    load_: Load,
    simulated: Callable[[Load], dict[str, Any]],
) -> int:
    planned = slo.plan(load_, objective.parse(options.slo), simulated)
    if options.json:
        print(json.dumps({"state": "simulated", "slices": planned.slices, "each": planned.result}, indent=1))
        return 0
    print(report.table(f"one of {planned.slices:,} slices", [planned.result]))
    where = (candidate.accelerator, options.region, options.provisioning, date.today())
    print("\n".join(["", *slo.lines(planned, *where)]))
    return 0


def _show(selection: Selection, results: Sequence[dict[str, Any]], as_json: bool, folder: Path) -> None:
    candidate = selection.candidate
    title = f"{selection.name}: {candidate.model.name} on {candidate.accelerator.name}"
    if as_json:
        print(json.dumps({"title": title, "state": "simulated", "cells": results}, indent=1))
        return
    print(report.table(title, results))
    if all(each["concurrency"] for each in results):
        for name, text in charts.charts(f"{title}, simulated", results, None).items():
            (folder / name).write_text(text, "utf-8")
        print(f"Charts: {folder}")


def ladder_loads(ladder: Ladder) -> list[Load]:
    """Returns the loads of a load test's ladder."""
    return [
        Load(
            prompt=Length("fixed", cell.prompt_tokens, cell.prompt_tokens),
            answer=Length("fixed", cell.output_tokens, cell.output_tokens),
            requests=cell.requests,
            concurrency=cell.concurrency,
        )
        for cell in ladder.cells
    ]


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _compare(options: argparse.Namespace) -> int:
    (selection,) = from_options(options, Path.cwd())
    cells = measured_files.read(options.files)
    candidate = selection.proved
    refuse_errors(findings(candidate))
    pages = budget(candidate).pool.pages
    sweep.check(candidate, [cell.load for cell in cells], pages)
    committed = constants.fitted(candidate.model.name).constants
    records = fit_report.records(candidate, pages, cells, committed)
    print(fit_report.compared(records, candidate, committed))
    _, table = fit_report.fitted_again(records, candidate, committed, FREE)
    print(f"\n{table}")
    return 0


def _fit(options: argparse.Namespace) -> int:
    print(fit_report.published(_tell))
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # so that `| head` ends the output, not a traceback
    sys.exit(main())
