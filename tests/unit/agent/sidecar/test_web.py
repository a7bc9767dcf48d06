"""The sidecar's HTTP endpoints and clients that give up."""

import socket
import struct
import threading

import pytest

from agent.sidecar import web


def test_a_collector_that_gives_up_leaves_no_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    asked, given_up = threading.Event(), threading.Event()

    def slow() -> web.Answer:
        asked.set()
        assert given_up.wait(30)
        return web.Answer(web.TEXT, b"x" * 2**24)

    server = web.start("127.0.0.1", 0, {"/slow": slow})
    # Its threads are waited for, so that their output is there.
    server.daemon_threads, server.block_on_close = False, True
    with socket.create_connection(("127.0.0.1", server.server_port)) as client:
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        assert asked.wait(30)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    given_up.set()
    server.shutdown()
    server.server_close()
    assert capfd.readouterr().err == ""
