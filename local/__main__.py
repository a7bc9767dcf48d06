"""Commands behind the Makefile: `python -m local COMMAND` (`--help` lists them)."""

import argparse
import shlex
import shutil
import sys

from local.commands import prepare
from local.commands.preview import preview
from serving.messages.arguments import Parser
from tools import toolchain
from tools.support import host, paths, subprocesses
from tools.support.progress import Refusal, say


def main() -> int:
    """Parses the command line and runs one command. A Refusal is printed as its sentence, with exit code
    1."""
    parser = Parser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser(
        "up", help=("build what is missing, start the cluster, run pulumi up and send one request")
    )
    part = commands.add_parser(
        "prepare", help=("build one of the parts that `up` needs before the cluster starts")
    )
    part.add_argument("part", choices=list(prepare.PARTS))
    planned = commands.add_parser(
        "preview", help=("show what pulumi up would change and which policies would fail")
    )
    planned.add_argument("stack")
    commands.add_parser(
        "env", help=("print the exports that make plain pulumi and kubectl work with this cluster")
    )
    commands.add_parser("down", help="stop the cluster; model, compile cache, bucket and state are kept")
    commands.add_parser("clean", help="stop the cluster and remove this instance's state")
    chosen = parser.parse_args()
    subprocesses.end_in_order()
    try:
        paths.instance()  # fails before a build instead of after it
        _run(chosen)
    except Refusal as refusal:
        say(f"\n{refusal}")
        return 1
    except KeyboardInterrupt:
        say("\nInterrupted. Run the same command again to continue from here.")
        return 130
    return 0


def _run(chosen: argparse.Namespace) -> None:
    match chosen.command:
        case "prepare":
            prepare.PARTS[chosen.part].make()
        case "preview":
            preview(chosen.stack)
        case "env":
            _env()
        case _:
            _run_on_cluster(chosen.command)


def _run_on_cluster(command: str) -> None:
    # The cluster's imports take a third of a second, which a preview would wait for.
    from local import cluster
    from local.commands.up import up

    if command == "up":
        up()
        return
    host.require_kind()
    if command == "down":
        cluster.stop()
        return
    cluster.clean()
    shutil.rmtree(paths.cluster().parent, ignore_errors=True)
    say(f"Removed {paths.cluster().parent}. Built programs are kept in {paths.toolchain()}.")


def _env() -> None:
    for name, value in sorted(
        {**toolchain.pulumi_environment(), "KUBECONFIG": str(paths.kubeconfig())}.items()
    ):
        print(f"export {name}={shlex.quote(value)}")


sys.exit(main())
