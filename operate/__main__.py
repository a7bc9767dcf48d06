"""`python -m operate COMMAND --stack NAME`: looks at a running stack, asks it, and finds a fault's cause."""

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from config import stack_file
from config.settings import Settings
from config.targets import FoundationTarget, GkeTarget, LocalTarget, TpuVmTarget
from operate.cluster_stack import ClusterStack
from operate.machine_stack import MachineStack
from serving.deploy import container_layout
from serving.messages.arguments import Parser
from tools.support import paths, subprocesses
from tools.support.progress import Refusal, say

HEAVY = ("fault", "waiting")
"""Levels of findings with which `why` ends with exit code 1."""
UNFINISHED = 3
"""Exit code of `rollout` when servers were still to be replaced at the end of its time."""
LOOK_SECONDS = 5.0


def main(arguments: Sequence[str] | None = None, folder: Path = paths.REPOSITORY) -> int:
    """Returns the exit code: 0, 1 when it failed or `why` found a fault, 2 for a stack without a server, and
    UNFINISHED."""
    options = _parser().parse_args(arguments)
    subprocesses.end_in_order()
    try:
        paths.instance()  # fails before anything is asked
        settings = stack_file.read(options.stack, folder)
        if options.command == "key" and settings.authentication == "none":
            raise ValueError(
                f"STACK={options.stack} has no API key to replace, because its clients need none: set "
                f"`authentication: api-key` in Pulumi.{options.stack}.yaml first."
            )
        return _run(options, commands_of(options.stack, settings))
    except Refusal as refusal:
        say(f"\n{refusal}")
        return 1
    except ValueError as mistake:
        say(f"\n{mistake}")
        return 2
    except KeyboardInterrupt:
        say("\nInterrupted.")
        return 130


def commands_of(stack: str, settings: Settings) -> ClusterStack | MachineStack:
    """Returns the commands of a stack. Raises ValueError for one that serves nothing."""
    with_key = settings.authentication == "api-key"
    match settings.target:
        case LocalTarget() | GkeTarget() as target:
            return ClusterStack(stack, target, with_key=with_key)
        case TpuVmTarget() as target:
            return MachineStack(stack, target, machines=settings.replicas, with_key=with_key)
        case FoundationTarget():
            raise ValueError(
                f"STACK={stack} is a foundation, which has no server: name a stack that serves, or run "
                f"`pulumi stack output -s {stack}`."
            )


def _parser() -> Parser:
    parser = Parser(prog="python -m operate", description="Operation of a running stack.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, purpose in (
        ("status", "show the nodes or machines, and the servers on them"),
        ("logs", "print the end of a component's log"),
        ("ask", "send a prompt to a server and print the answer"),
        ("why", "say what is wrong, and the next command"),
        ("rollout", "wait until every server is of the newest release"),
        ("key", "set a new random API key; the running servers take it"),
    ):
        command = commands.add_parser(name, help=purpose)
        command.add_argument("--stack", required=True)
        if name == "logs":
            command.add_argument("--component", default=container_layout.SERVER)
        if name == "rollout":
            command.add_argument("--seconds", type=float, default=0.0, help="most time to wait")
        if name == "ask":
            command.add_argument("--max-tokens", type=int, default=64)
            command.add_argument("prompt")
    return parser


def _run(options: argparse.Namespace, stack: ClusterStack | MachineStack) -> int:
    match options.command:
        case "status":
            print(stack.status(), end="")
        case "logs":
            print(stack.logs(options.component), end="")
        case "ask":
            stack.ask(options.prompt, options.max_tokens)
        case "key":
            stack.rotate_key()
        case "rollout":
            return _await_rollout(stack, options.seconds)
        case _:
            findings, sentence = stack.why()
            print("\n".join(finding.line for finding in findings), f"\n{sentence}", sep="\n")
            return int(any(finding.level in HEAVY for finding in findings))
    return 0


def _await_rollout(stack: ClusterStack | MachineStack, seconds: float) -> int:
    deadline = time.monotonic() + seconds
    while not stack.is_rolled_out():
        if time.monotonic() > deadline:
            say(f"Servers were still to be replaced after {seconds:.0f} s.")
            return UNFINISHED
        time.sleep(LOOK_SECONDS)
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # so that `| head` ends the output, not a traceback
    sys.exit(main())
