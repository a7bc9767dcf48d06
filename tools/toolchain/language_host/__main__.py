"""Program that the CLI starts through the `pulumi-language-python` beside it: EXECUTOR [FLAGS]
ENGINE_ADDRESS.

Prints its port, as the CLI expects, serves, and exits quietly on SIGTERM or when the CLI has died.
"""

import os
import signal
import sys
import threading
from concurrent import futures
from pathlib import Path

MAX_MESSAGE_BYTES = 400 * 1024 * 1024
"""The CLI's own limit (sdk/go/common/util/rpcutil): a large stack's configuration must pass."""
WORKERS = 32
"""Threads: a running program and every running policy pack hold one each."""


def main() -> None:
    # Run by path, so that no PYTHONPATH is needed, which the user's program would inherit.
    sys.path[0] = str(Path(__file__).resolve().parents[3])
    from tools.support.pulumi_messages import leave_out_the_sdk

    leave_out_the_sdk()
    import grpc
    from pulumi.runtime.proto import language_pb2_grpc

    from tools.toolchain.language_host.processes import Processes
    from tools.toolchain.language_host.service import PythonHost

    executor, engine = Path(sys.argv[1]), sys.argv[-1]
    processes = Processes()
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=WORKERS),
        options=[
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ],
    )
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(PythonHost(executor, engine, processes), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()

    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())

    def watch_the_cli() -> None:
        # The CLI holds the other end of this pipe as long as it lives, however it ends.
        sys.stdin.buffer.read()
        stopping.set()

    threading.Thread(target=watch_the_cli, daemon=True).start()
    print(port, flush=True)
    stopping.wait()
    processes.end_all()
    # Skip the interpreter's shutdown, which would wait for the open calls.
    os._exit(0)


main()
