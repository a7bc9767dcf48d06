"""`python -m local.cluster start|stop|clean|status|logs [component]`."""

import sys
from pathlib import Path

from local import cluster
from serving.messages.arguments import Parser
from tools.support import paths, subprocesses
from tools.support.progress import Refusal, say


def main(arguments: list[str]) -> int:
    """Run one command; return 1 when it is refused or the status is not healthy."""
    parser = Parser(prog="python -m local.cluster", description=cluster.__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("start", help="start the cluster, or repair it")
    start.add_argument("--environment", type=Path, help="folder to mount at /opt/vllm in every container")
    commands.add_parser("stop", help="stop the cluster; its state is kept")
    commands.add_parser("clean", help="stop the cluster and delete its state")
    commands.add_parser("status", help="show what runs; exit code 1 unless everything is healthy")
    logs = commands.add_parser("logs", help="print the end of the logs")
    logs.add_argument("component", nargs="?")
    chosen = parser.parse_args(arguments)
    subprocesses.end_in_order()
    try:
        paths.instance()  # fails before a build instead of after it
        match chosen.command:
            case "start":
                cluster.start(chosen.environment)
            case "stop":
                cluster.stop()
            case "clean":
                cluster.clean()
            case "logs":
                print(cluster.logs(chosen.component), end="")
            case _:
                status = cluster.status()
                print(status)
                return 0 if status.healthy else 1
    except Refusal as refusal:
        say(str(refusal))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
