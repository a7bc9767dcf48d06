"""`python -m tests.standin [engine address]`: serve the plugin until the engine ends it."""

import signal
import sys
import threading
from concurrent import futures

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from tests.standin.plugin import Provider

MEGABYTE = 1024 * 1024


def main() -> None:
    """Print the port, as the plugin protocol wants, and serve."""
    ended = threading.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, lambda *_: ended.set())
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=32),
        options=[("grpc.max_receive_message_length", 400 * MEGABYTE)],
    )
    engine = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Provider(engine), server)
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    ended.wait()
    server.stop(grace=1).wait()


if __name__ == "__main__":
    main()
