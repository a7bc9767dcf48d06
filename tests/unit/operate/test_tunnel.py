"""Tunnels: open while a block runs, gone after it, and explained when they do not open."""

import socket
import sys

import pytest

from operate import tunnel
from tools.support.errors import Refusal

LISTEN = """
import socket, sys, time
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    listener.accept()[0].close()
"""


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_a_tunnel_is_open_while_the_block_runs() -> None:
    port = tunnel.free_port()
    with tunnel.opened([sys.executable, "-c", LISTEN, str(port)], [port], "log in"):
        assert listens(port)
    assert not listens(port)


def test_a_tunnel_is_closed_when_the_block_fails() -> None:
    port = tunnel.free_port()
    with (
        pytest.raises(ValueError, match="mistake"),
        tunnel.opened([sys.executable, "-c", LISTEN, str(port)], [port], "log in"),
    ):
        raise ValueError("mistake")
    assert not listens(port)


FAILURES = [
    ("echo first >&2; echo 'ERROR: not authorized' >&2; exit 1", "ERROR: not authorized"),
    ("exit 0", "it said nothing"),
]


def refusal(words: list[str]) -> str:
    """Returns the sentence about a tunnel that does not open."""
    with pytest.raises(Refusal) as refused, tunnel.opened(words, [tunnel.free_port()], "log in"):
        pass
    return str(refused.value)


@pytest.mark.parametrize(("script", "reason"), FAILURES)
def test_a_tunnel_that_does_not_open_has_the_programs_last_line(script: str, reason: str) -> None:
    assert refusal(["/bin/sh", "-c", script]) == f"sh could not open a tunnel ({reason}): log in."


def test_a_program_that_does_not_listen_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tunnel, "OPEN_SECONDS", 0.2)
    assert refusal(["/bin/sleep", "600"]) == "sleep could not open a tunnel (it said nothing): log in."
