"""`make doctor STACK=…`: what a stack needs before `pulumi up`, one row and one sentence each."""

import signal
import sys
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

from config import stack_file
from config.checks import problems, refuse
from config.settings import Settings
from config.targets import FoundationTarget, GkeTarget, LocalTarget, TpuVmTarget
from doctor import text
from doctor.case import Case
from doctor.google import Google, NoLogin, login
from doctor.rows import rows
from serving.messages.arguments import Parser
from stacks.gcp import foundation
from stacks.plan import plan
from tools.support import paths
from tools.support.progress import say


def main(
    arguments: Sequence[str] | None = None,
    folder: Path = paths.REPOSITORY,
    log_in: Callable[[str], Google] = login,
) -> int:
    """Returns the exit code: 0 when nothing is missing, 1 when something is, 2 for a mistake in the stack
    file."""
    parser = Parser(prog="make doctor", description=__doc__)
    parser.add_argument("--stack", required=True)
    parser.add_argument("--offline", action="store_true", help="ask nobody; list what could not be asked")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    options = parser.parse_args(arguments)
    try:
        settings = stack_file.read(options.stack, folder)
        target = _target(options.stack, settings)
    except ValueError as mistake:
        say(str(mistake))
        return 2
    try:
        case = Case(
            stack=options.stack,
            settings=settings,
            target=target,
            folder=folder,
            today=date.today(),
            login="--offline is set" if options.offline else _login(target.project, log_in),
        )
        found = list(rows(case, offline=options.offline))
    except KeyboardInterrupt:
        say("\nInterrupted. Nothing was changed.")
        return 130
    print(text.document(case.stack, found) if options.json else text.table(found))
    say(text.summary(case.stack, found))
    return int(any(row.state == "missing" for row in found))


def _target(stack: str, settings: Settings) -> FoundationTarget | GkeTarget | TpuVmTarget:
    """Returns the target of a stack on Google Cloud.

    Raises ValueError, one sentence a line, for any other and for settings that `pulumi up` refuses.
    """
    match settings.target:
        case LocalTarget():
            raise ValueError(
                f"stack {stack!r} runs on a cluster that you have, and `make up` checks this machine itself: "
                "name a stack on Google Cloud, such as make doctor STACK=staging."
            )
        case FoundationTarget() as target:
            refuse(foundation.problems(settings, target))
            return target
        case GkeTarget() | TpuVmTarget() as target:
            refuse(problems(settings, placeholders=False))
            assert settings.image_name is not None
            plan(settings, settings.image_name)
            return target


def _login(project: str, log_in: Callable[[str], Google]) -> Google | str:
    try:
        return log_in(project)
    except NoLogin as reason:
        return str(reason)


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # so that `| head` ends the output, not a traceback
    sys.exit(main())
