"""The sidecar's HTTP endpoints and clients that give up."""

import socket
import struct
import threading
from collections.abc import Mapping
from http.server import ThreadingHTTPServer

import pytest

from agent.sidecar import web


def test_a_collector_that_gives_up_leaves_no_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    asked, given_up = threading.Event(), threading.Event()

    def slow() -> web.Answer:
        asked.set()
        assert given_up.wait(30)
        return web.Answer(web.TEXT, b"x" * 2**24)

    server = waited_for({"/slow": slow})
    with socket.create_connection(("127.0.0.1", server.server_port)) as client:
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        assert asked.wait(30)
        reset_at_close(client)
    given_up.set()
    server.shutdown()
    server.server_close()
    assert capfd.readouterr().err == ""


def test_a_probe_that_gives_up_before_its_request_ends_leaves_no_traceback(
    capfd: pytest.CaptureFixture[str],
) -> None:
    server = waited_for({})
    with socket.create_connection(("127.0.0.1", server.server_port)) as client:
        client.sendall(b"GET /rea")
        reset_at_close(client)
    # Connections are accepted in their order: its answer shows that the first one has a thread.
    with socket.create_connection(("127.0.0.1", server.server_port)) as client:
        client.sendall(b"GET /ready HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.0 404"
    server.shutdown()
    server.server_close()
    assert capfd.readouterr().err == ""


def waited_for(pages: Mapping[str, web.Page]) -> ThreadingHTTPServer:
    """Returns a server whose end waits for its threads, so that their output is there."""
    server = web.start("127.0.0.1", 0, pages)
    server.daemon_threads, server.block_on_close = False, True
    return server


def reset_at_close(client: socket.socket) -> None:
    """Lets the end of a connection be a reset, as that of a program that was killed."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
