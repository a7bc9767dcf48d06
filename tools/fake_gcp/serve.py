"""Process of a provider plugin: prints its port, as the protocol requires, and serves until the engine ends
it."""

import signal
import sys
import threading
from collections.abc import Callable
from concurrent import futures

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

MEGABYTE = 1024 * 1024


def serve(make: Callable[[str], provider_pb2_grpc.ResourceProviderServicer]) -> None:
    """Serve what `make` returns for the engine's address."""
    ended = threading.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, lambda *_: ended.set())
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=32),
        options=[("grpc.max_receive_message_length", 400 * MEGABYTE)],
    )
    engine = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(make(engine), server)
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    ended.wait()
    server.stop(grace=1).wait()
