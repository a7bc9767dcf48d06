"""`python -m planner`: what an engine would answer under a load, simulated without a TPU.

simulate       one load or a ladder, as a table, JSON and two charts; or the load that a stack expects
choose         every phase, scenario and slice under one load: slices that keep an SLO, and their price
compare        results of a load test beside the simulation, cell by cell, with constants fitted on them
fit            fits the constants on published cells again, and prints each cell's error

It runs in the model server's environment, which `make simulate`, `make choose` and `make compare` find.
"""

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

from config.selection import Selection, add_options, add_price_options, from_options, price_list
from config.traffic import load, objective, simulation
from config.traffic.expected import ExpectedLoad
from config.traffic.load import Length, Load
from config.traffic.verdict import Verdict
from load_test import charts
from load_test.ladders import FIXED, Ladder
from planner import choices, constants, expected, fit_report, measured_files, report, slo, sweep
from planner.fit import FREE
from serving.findings import findings, refuse_errors
from serving.hardware.regions import Provisioning
from serving.memory.budget import budget
from serving.messages.arguments import Parser

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
        kept = (
            "The same command goes on from the last finished cell." if options.keeps else "Nothing is kept."
        )
        print(f"\nInterrupted. {kept}", file=sys.stderr)
        return 130


def _parser() -> Parser:
    parser = Parser(
        prog="python -m planner", description="The load test without a TPU: simulated, never measured."
    )
    commands = parser.add_subparsers(required=True)
    simulated = commands.add_parser("simulate", help="one load or a ladder on an engine")
    add_options(simulated)
    listed = "; ".join(f"{ladder.name}: {ladder.purpose}" for ladder in FIXED.values())
    what = simulated.add_mutually_exclusive_group()
    what.add_argument("--load", help=load.FORM)
    what.add_argument(
        "--ladder", choices=FIXED, help=f"{listed} (default: the load that the stack expects, else seed)"
    )
    simulated.add_argument("--slo", help=f"slices that a load with a rate needs: {objective.FORM}")
    add_price_options(simulated)
    simulated.add_argument("--json", action="store_true", help="print JSON")
    simulated.set_defaults(run=_simulate, keeps=True)
    chosen = commands.add_parser("choose", help="every phase, scenario and slice under one load")
    chosen.add_argument("--load", required=True, help=load.FORM)
    chosen.add_argument("--slo", required=True, help=objective.FORM)
    chosen.add_argument("--accelerator", help="only on this slice")
    chosen.add_argument("--model", help="this model in place of each phase's own")
    add_price_options(chosen)
    chosen.add_argument("--json", action="store_true", help="print JSON")
    chosen.set_defaults(run=_choose, keeps=True)
    compared = commands.add_parser("compare", help="results of a load test beside the simulation")
    add_options(compared)
    compared.add_argument(
        "files", nargs="+", type=Path, help="a finished run of make load-test, or results of vllm bench serve"
    )
    compared.set_defaults(run=_compare, keeps=False)
    fitted = commands.add_parser("fit", help="fit the constants again")
    fitted.set_defaults(run=_fit, keeps=False)
    return parser


def _simulate(options: argparse.Namespace) -> int:
    (selection,) = from_options(options, Path.cwd())
    settings = selection.settings
    asked = settings.expected_load if settings else None
    if settings and asked and not (options.load or options.ladder or options.slo):
        return _expected(selection, asked, settings.replicas, options.json)
    if options.load:
        loads = [load.parse(options.load)]
    elif asked and options.slo and not options.ladder:
        loads = [asked.requests]
    else:
        loads = ladder_loads(FIXED[options.ladder or "seed"])
    engine = Simulated(selection)
    if options.slo:
        return _plan(options, engine, loads[0], price_list(options, selection))
    engine.check(loads)
    results = sweep.sweep(engine.candidate, engine.pages, engine.fitted, loads, engine.store, _tell)
    _show(selection, results, options.json, engine.store.parent)
    return 0


class Simulated:
    """An engine that can boot, with what a simulation of it needs.

    Raises ValueError, one sentence a line, for an engine that would not serve.
    """

    def __init__(self, selection: Selection) -> None:
        self.candidate = selection.proved
        refuse_errors(findings(self.candidate))
        self.pages = budget(self.candidate).pool.pages
        self.fitted = constants.fitted(self.candidate.model.name)

    @property
    def store(self) -> Path:
        """The file of the engine's finished cells."""
        return sweep.cells_file(FOLDER, self.candidate, self.pages, self.fitted, version())

    def check(self, loads: Sequence[Load]) -> None:
        """Raises ValueError, one sentence, for an engine that is not modeled or a load that is too long."""
        sweep.check(self.candidate, loads, self.pages)

    def result(self, load_: Load) -> dict[str, Any]:
        """Returns the answer of one server to a load with a rate."""
        return sweep.stored(self.candidate, self.pages, self.fitted, self.store, _tell)(load_)


def version() -> str:
    """Returns vLLM's version in this environment."""
    return metadata.version("vllm-tpu")


def _plan(
    options: argparse.Namespace, engine: Simulated, load_: Load, price: tuple[str, Provisioning]
) -> int:
    limits = objective.parse(options.slo)
    engine.check([slo.share(load_, 1)])
    planned = slo.plan(load_, limits, engine.result)
    if options.json:
        print(json.dumps({"state": "simulated", "slices": planned.slices, "each": planned.result}, indent=1))
        return 0
    title = f"one of {planned.slices:,} slices" if planned.slices > 1 else "one slice"
    print(report.table(title, [planned.result]))
    where = (engine.candidate.accelerator, *price, date.today())
    print("\n".join(["", *slo.lines(planned, *where)]))
    return 0


def _expected(selection: Selection, asked: ExpectedLoad, replicas: int, as_json: bool) -> int:
    """Simulates the load that a stack expects, and writes the file that its plans read."""
    engine = Simulated(selection)
    arguments = (engine.candidate, engine.pages, engine.fitted, version())
    record = expected.simulated(*arguments, asked, replicas, engine.result)
    file = simulation.write(record)
    if as_json:
        print(record.model_dump_json(indent=1, exclude_none=True))
        return 0
    stack = Verdict(asked, engine.candidate.accelerator.name, replicas, record)
    print("\n".join([f"{selection.name}: {stack.line}", *map(str, stack.findings)]))
    print(f"Commit {file.relative_to(Path.cwd())}, so that `pulumi preview` shows it.")
    return 0


def _choose(options: argparse.Namespace) -> int:
    asked, limits = load.parse(options.load), objective.parse(options.slo)
    slo.share(asked, 1)
    engines = choices.selections(options.accelerator, options.model)
    found = choices.choices(engines, asked, limits, FOLDER, version(), _tell)
    where = (*price_list(options), date.today())
    if options.json:
        rows = choices.document(found, *where)
        asked_for = {"state": "simulated", "load": options.load, "slo": options.slo}
        print(json.dumps({**asked_for, "choices": rows}, indent=1))
        return 0
    print(f"{options.load}, {options.slo}: simulated, not measured\n\n{choices.table(found, *where)}")
    return 0


def _show(selection: Selection, results: Sequence[dict[str, Any]], as_json: bool, folder: Path) -> None:
    candidate = selection.candidate
    title = f"{selection.name}: {candidate.model.name} on {candidate.accelerator.name}"
    if as_json:
        print(json.dumps({"title": title, "state": "simulated", "cells": results}, indent=1))
        return
    print(report.table(title, results))
    # A chart of one point would replace that of a ladder.
    if len(results) > 1 and all(each["concurrency"] for each in results):
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
    engine = Simulated(selection)
    candidate, committed = engine.candidate, engine.fitted.constants
    engine.check([cell.load for cell in cells])
    records = fit_report.records(candidate, engine.pages, cells, committed, _tell)
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
