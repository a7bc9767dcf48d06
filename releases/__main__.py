"""`python -m releases`: accepted releases, promoted, rolled back and pruned.

list, show NAME, diff A B    the releases in the artifact bucket of a stack
promote, rollback            write a release into a stack file, and show the preview
prune                        what nothing in the bucket needs any more; with --delete it is deleted
"""

import argparse
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from local.commands.preview import preview
from releases import promote, prune, store, text, usage
from releases.bucket import Bucket, bucket_of
from releases.promote import Stack
from serving.deploy.record import Record
from serving.messages.arguments import Parser
from serving.messages.units import gib
from tools.support import paths, subprocesses
from tools.support.errors import Refusal
from tools.support.progress import say


def main(arguments: Sequence[str] | None = None, folder: Path = paths.REPOSITORY) -> int:
    """Returns the exit code: 0, 1 when a release cannot be used or read, 2 for a mistake in a stack file."""
    options = _parser().parse_args(arguments)
    subprocesses.end_in_order()
    try:
        _run(options, folder)
    except Refusal as refusal:
        say(str(refusal))
        return 1
    except ValueError as mistake:
        say(str(mistake))
        return 2
    except KeyboardInterrupt:
        say("\nInterrupted. Run the same command again to continue from here.")
        return 130
    return 0


def _parser() -> Parser:
    parser = Parser(prog="python -m releases", description="Accepted releases.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, purpose, names in (
        ("list", "the accepted releases in a stack's bucket", ()),
        ("show", "the record of one release", ("name",)),
        ("diff", "what two records differ in", ("name", "other")),
    ):
        command = commands.add_parser(name, help=purpose)
        command.add_argument("--stack", required=True)
        for each in names:
            command.add_argument(each)
    moved = commands.add_parser("promote", help="let a stack run a release that another one accepted")
    moved.add_argument("--from", dest="source", required=True, metavar="STACK")
    moved.add_argument("--to", dest="stack", required=True, metavar="STACK")
    back = commands.add_parser("rollback", help="let a stack run the release before the present one")
    back.add_argument("--stack", required=True)
    for command in (moved, back):
        command.add_argument("--release", help="8 hexadecimal digits; unset: see docs/operations.md")
        command.add_argument("--no-preview", action="store_true", help="only write the files")
    pruned = commands.add_parser("prune", help="list what nothing in a stack's bucket needs any more")
    pruned.add_argument("--stack", required=True)
    pruned.add_argument("--delete", action="store_true", help="delete it after it is listed")
    pruned.add_argument(
        "--keep",
        type=int,
        default=usage.KEEP,
        metavar="K",
        help="last accepted releases of each slice and model that stay (default %(default)s)",
    )
    return parser


def _run(options: argparse.Namespace, folder: Path) -> None:
    target = promote.stack(options.stack, folder)
    match options.command:
        case "list":
            print(text.listed(store.accepted(bucket_of(target.settings), say), _named(folder)))
        case "show":
            print(text.shown(_record(target, options.name)))
        case "diff":
            print(text.differences(_record(target, options.name), _record(target, options.other)))
        case "promote":
            source = promote.stack(options.source, folder)
            promote.promote(source, target, options.release, bucket_of(source.settings))
        case "rollback":
            promote.roll_back(target, options.release, lambda: bucket_of(target.settings))
        case "prune":
            _prune(options, bucket_of(target.settings), folder)
    if options.command in ("promote", "rollback") and not options.no_preview:
        preview(options.stack)


def _prune(options: argparse.Namespace, bucket: Bucket, folder: Path) -> None:
    """Lists every item of the bucket, and with --delete deletes those that nothing needs."""
    if options.keep < 1:
        raise ValueError(
            f"--keep is {options.keep}, which would keep no release for a rollback: set it to 1 or more."
        )
    objects = bucket.objects()
    needed = usage.needed(bucket, folder, options.keep)
    verdicts = prune.judge(objects, needed, options.keep, datetime.now(UTC))
    print(text.judged(verdicts), flush=True)
    unused = [verdict for verdict in verdicts if not verdict.keep]
    if options.delete:
        prune.delete(unused, bucket, say)
    else:
        size = gib(sum(verdict.bytes for verdict in unused))
        say(
            f"{len(unused)} of {len(verdicts)} items ({size}) are not needed; nothing was deleted. To delete "
            f"them: make prune STACK={options.stack} ARGS='--delete --keep {options.keep}'"
        )


def _record(target: Stack, name: str) -> Record:
    """Returns a record of the repository, else of the bucket."""
    known = store.in_repository(name, target.folder)
    if known is not None:
        return known
    bucket: Bucket = bucket_of(target.settings)
    found = store.find(bucket, name)
    if found is None:
        raise Refusal(
            f"Release {name} has no record in gs://{bucket.name}: name one that `make releases "
            f"STACK={target.name}` lists."
        )
    return found[0]


def _named(folder: Path) -> dict[str, list[str]]:
    """Returns the stacks whose files name each release."""
    named: dict[str, list[str]] = {}
    for file in sorted(folder.glob("Pulumi.*.yaml")):
        stack = file.name.split(".")[1]
        try:
            release = promote.stack(stack, folder).release
        except ValueError:
            continue
        if release is not None:
            named.setdefault(release, []).append(stack)
    return named


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # so that `| head` ends the output, not a traceback
    sys.exit(main())
