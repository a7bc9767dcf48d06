"""`python -m explain`: the numbers of an engine on a slice, computed without a TPU.

engine         a phase or a stack as a table, two side by side, or JSON
compose        compose.yaml and vllm.env, for a machine that you manage yourself
monitoring     rule file of Prometheus and dashboard of Grafana, for a stack
bootlog        a real boot's log beside the prediction for its engine
phases, models, accelerators, prices    the rows of these tables
"""

import argparse
import json
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

from config.selection import Selection, add_options, add_price_options, from_options, price_list
from explain import (
    boot_log,
    boot_log_check,
    compose_files,
    monitoring_files,
    price_table,
    rows,
    text,
)
from serving.engine.phases import PHASES, SCENARIOS
from serving.findings import refuse_errors
from serving.hardware.accelerators import ACCELERATORS
from serving.messages.arguments import Parser
from serving.messages.finding import Finding
from serving.messages.units import gib
from serving.models.catalog import MODELS


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0, 1 when the engine cannot serve or the log disagrees, 2 for bad options."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except ValueError as refusal:
        print(refusal, file=sys.stderr)
        return 2


def _parser() -> Parser:
    parser = Parser(
        prog="python -m explain", description="The numbers of an engine on a slice, computed without a TPU."
    )
    commands = parser.add_subparsers(required=True)

    engine = commands.add_parser(
        "engine", help="memory, programs, cold start, cost and findings of an engine"
    )
    add_options(engine)
    engine.add_argument(
        "--compare",
        nargs=2,
        metavar=("A", "B"),
        help="two of: PHASE, PHASE+SCENARIO, STACK, stack:STACK (for a stack named like a phase)",
    )
    add_price_options(engine)
    engine.add_argument("--json", action="store_true", help="print JSON")
    engine.set_defaults(run=_explain)

    checked = commands.add_parser("bootlog", help="a boot's log beside the prediction for its engine")
    checked.add_argument("file", type=Path, help="the server's output")
    add_options(checked)
    checked.set_defaults(run=_bootlog, compare=None)
    stack = commands.add_parser("compose", help="the container stack for a machine that you manage yourself")
    stack.add_argument("--stack", required=True, help="read Pulumi.STACK.yaml")
    stack.add_argument(
        "file",
        nargs="?",
        choices=(compose_files.COMPOSE, compose_files.ENVIRONMENT),
        help="print only this file (default both)",
    )
    stack.set_defaults(run=_compose)

    watched = commands.add_parser(
        "monitoring", help="rules and dashboard for your own Prometheus and Grafana"
    )
    watched.add_argument("--stack", required=True, help="read Pulumi.STACK.yaml")
    watched.add_argument("folder", type=Path, help="folder in which the two files are written")
    watched.set_defaults(run=_monitoring)

    simple: tuple[tuple[str, str, Callable[[argparse.Namespace], int]], ...] = (
        ("phases", "phases and scenarios", _phases),
        ("models", "models with their weights", _models),
        ("accelerators", "slices with their memory", _accelerators),
        ("prices", "regions with their zones and prices", _prices),
    )
    for name, purpose, run in simple:
        commands.add_parser(name, help=purpose).set_defaults(run=run)
    return parser


def _bootlog(options: argparse.Namespace) -> int:
    (selection,) = from_options(options, Path.cwd())
    try:
        log = options.file.read_text("utf-8", "replace")
    except OSError as error:
        raise ValueError(f"{options.file} cannot be read ({error.strerror}); name a server's log.") from None
    lines = boot_log_check.compare(boot_log.parse(log), selection.candidate)
    print(boot_log_check.render(lines))
    return int(bool(boot_log_check.disagreements(lines)))


def _explain(options: argparse.Namespace) -> int:
    subjects = from_options(options, Path.cwd())
    found = [subject.findings for subject in subjects]
    print(_shown(subjects, found, options))
    code = 0
    for each in found:
        try:
            refuse_errors(each)
        except ValueError as refusal:
            # The table shows why; the sentence is the one with which `pulumi preview` ends.
            print(refusal, file=sys.stderr)
            code = 1
    return code


def _shown(
    subjects: Sequence[Selection], found: Sequence[Sequence[Finding]], options: argparse.Namespace
) -> str:
    today = date.today()
    if options.json:
        documents = [rows.document(each, *price_list(options, each), today) for each in subjects]
        return json.dumps(documents[0] if len(documents) == 1 else documents, indent=1)
    tables = [rows.rows(each, *price_list(options, each), today) for each in subjects]
    if len(subjects) == 1:
        command = shlex.join(rows.command(subjects[0]))
        return text.one(rows.title(subjects[0]), tables[0], found[0], command)
    return text.two((subjects[0].name, subjects[1].name), (tables[0], tables[1]), (found[0], found[1]))


def _compose(options: argparse.Namespace) -> int:
    files = compose_files.files(options.stack, Path.cwd())
    for name, content in files.items():
        if options.file in (name, None):
            print(content if options.file else f"# {name}\n{content}", end="")
    return 0


def _monitoring(options: argparse.Namespace) -> int:
    files = monitoring_files.files(options.stack, Path.cwd())
    try:
        options.folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (options.folder / name).write_text(content, "utf-8")
            print(options.folder / name)
    except OSError as error:
        raise ValueError(
            f"{options.folder} cannot be written ({error.strerror}); name a folder for the two files."
        ) from None
    return 0


def _phases(options: argparse.Namespace) -> int:
    for kind, presets in (("phase", PHASES.values()), ("scenario", SCENARIOS.values())):
        for row in presets:
            print(f"{kind:<9}{row.name:<17}{row.description}\n{'':<26}{row.trade_off}")
    return 0


def _models(options: argparse.Namespace) -> int:
    for row in MODELS.values():
        print(
            f"{row.name:<21}{row.weight_bytes / 1e9:>7.2f} GB  {', '.join(row.modalities):<20}{row.hf_repo}"
        )
    return 0


def _accelerators(options: argparse.Namespace) -> int:
    for row in ACCELERATORS.values():
        machine = row.machine_type or "this machine"
        print(f"{row.name:<13}{row.chips:>2} chips of {gib(row.hbm_bytes_per_chip):>10}  {machine}")
    return 0


def _prices(options: argparse.Namespace) -> int:
    print(price_table.table(date.today()))
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # so that `| head` ends the output, not a traceback
    sys.exit(main())
