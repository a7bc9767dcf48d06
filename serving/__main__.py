"""`python -m serving`: what is known about an engine on a slice, without one.

explain        a phase or a stack as a table, two side by side, or JSON
configuration  docs/configuration.md from the models
phases, models, accelerators  what can be asked for
"""

import argparse
import json
import shlex
import signal
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import get_args

from serving import configuration, explain, table
from serving.accelerators import ACCELERATORS, GIB
from serving.asked import Asked, from_name, from_settings, from_stack
from serving.finding import Finding
from serving.findings import findings
from serving.models import MODELS
from serving.phases import DEFAULT_PHASE, PHASES, SCENARIOS
from serving.prices import Provisioning


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0, or 1 when something asked for cannot serve, or 2 when it does not exist."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except ValueError as refusal:
        print(refusal, file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serving", description="What is known about an engine on a slice, without one."
    )
    commands = parser.add_subparsers(required=True)
    asked = commands.add_parser(
        "explain", help="memory, programs, cold start, cost and findings of an engine"
    )
    what = asked.add_mutually_exclusive_group()
    what.add_argument("--stack", help="read Pulumi.STACK.yaml")
    what.add_argument("--phase", help=f"one of {', '.join(PHASES)} (default {DEFAULT_PHASE})")
    what.add_argument(
        "--compare",
        nargs=2,
        metavar=("A", "B"),
        help="two of: PHASE, PHASE+SCENARIO, STACK, stack:STACK (for a stack named like a phase)",
    )
    asked.add_argument("--scenario", help=f"laid over --phase: {', '.join(SCENARIOS)}")
    asked.add_argument("--accelerator", help=f"with --phase: {', '.join(ACCELERATORS)}")
    asked.add_argument("--model", help=f"with --phase: {', '.join(MODELS)}")
    asked.add_argument("--region", default="us-east5", help="for the price (default us-east5)")
    asked.add_argument(
        "--provisioning", default="on-demand", choices=get_args(Provisioning), help="(default on-demand)"
    )
    asked.add_argument("--json", action="store_true", help="the same for machines")
    asked.set_defaults(run=_explain)
    documented = commands.add_parser("configuration", help="print docs/configuration.md")
    documented.set_defaults(run=_configuration)
    for name, run in (("phases", _phases), ("models", _models), ("accelerators", _accelerators)):
        commands.add_parser(name, help=f"the {name} that exist").set_defaults(run=run)
    return parser


def _explain(options: argparse.Namespace) -> int:
    folder = Path.cwd()
    names = ("scenario", "accelerator", "model")
    settings = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    if (options.compare or options.stack) and settings:
        raise ValueError(
            f"--{next(iter(settings))} was given beside --stack or --compare, which say it themselves; "
            f"use it with --phase."
        )
    if options.compare:
        subjects = [from_name(name, folder) for name in options.compare]
    elif options.stack:
        subjects = [from_stack(options.stack, folder)]
    else:
        phase = options.phase or DEFAULT_PHASE
        name = f"{phase}+{options.scenario}" if options.scenario else phase
        subjects = [from_settings(name, {"phase": phase, **settings})]
    found = [findings(subject.accelerator, subject.model, subject.engine) for subject in subjects]
    print(_shown(subjects, found, options))
    return int(any(finding.severity == "error" for each in found for finding in each))


def _shown(subjects: Sequence[Asked], found: Sequence[Sequence[Finding]], options: argparse.Namespace) -> str:
    when = (options.region, options.provisioning, date.today())
    if options.json:
        documents = [explain.document(subject, *when) for subject in subjects]
        return json.dumps(documents[0] if len(documents) == 1 else documents, indent=1)
    tables = [explain.rows(subject, *when) for subject in subjects]
    if len(subjects) == 1:
        command = shlex.join(explain.command(subjects[0]))
        return table.one(explain.title(subjects[0]), tables[0], found[0], command)
    return table.two((subjects[0].name, subjects[1].name), (tables[0], tables[1]), (found[0], found[1]))


def _configuration(options: argparse.Namespace) -> int:
    print(configuration.document(), end="")
    return 0


def _phases(options: argparse.Namespace) -> int:
    for kind, rows in (("phase", PHASES.values()), ("scenario", SCENARIOS.values())):
        for row in rows:
            print(f"{kind:<9}{row.name:<17}{row.description}\n{'':<26}{row.trade_off}")
    return 0


def _models(options: argparse.Namespace) -> int:
    for row in MODELS.values():
        print(
            f"{row.name:<21}{row.weight_bytes / 1e9:>7.2f} GB  {', '.join(row.modalities):<19}{row.hf_repo}"
        )
    return 0


def _accelerators(options: argparse.Namespace) -> int:
    for row in ACCELERATORS.values():
        machine = row.machine_type or "this machine"
        print(f"{row.name:<13}{row.chips:>2} chips of {row.hbm_bytes_per_chip / GIB:>6.2f} GiB  {machine}")
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # so that `| head` ends the output, not a traceback
    sys.exit(main())
