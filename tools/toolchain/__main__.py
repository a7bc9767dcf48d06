"""`python -m tools.toolchain [status | build [NAME ...]]`: list the programs, or build and install them."""

import argparse
import sys

from tools import toolchain
from tools.support import subprocesses
from tools.support.progress import Refusal
from tools.toolchain.find import find
from tools.toolchain.programs import PROGRAMS, Built


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.toolchain", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("status", help="print each program, its version, origin and path (the default)")
    build = commands.add_parser("build", help="build or install what is missing, then print the same")
    build.add_argument("names", nargs="*", metavar="NAME", default=[])
    arguments = parser.parse_args()
    subprocesses.end_in_order()
    try:
        if arguments.command == "build":
            toolchain.ensure(*(arguments.names or toolchain.EVERYTHING))
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        return 1
    print(table())
    return 0


def table() -> str:
    """Returns one line for each program. A missing one shows the version that would be built, or the oldest
    accepted one."""
    rows = [("PROGRAM", "VERSION", "FROM", "PATH")]
    for name, program in PROGRAMS.items():
        usable = find(program)
        if usable is not None:
            rows.append((name, usable.version or "-", usable.origin, str(usable.path)))
        elif isinstance(program, Built):
            rows.append((name, program.family.version, "missing", "(to be built)"))
        else:
            oldest = ".".join(map(str, program.oldest))
            rows.append((name, f">={oldest}" if oldest else "-", "missing", "(to be installed)"))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        "  ".join((*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]))
        for row in rows
    )


sys.exit(main())
