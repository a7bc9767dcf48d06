"""The memory check against a small gRPC server that answers as libtpu does."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from agent.sidecar import hbm
from agent.sidecar import libtpu as reader
from agent.sidecar.client import Client, Failed
from agent.sidecar.run import Run, Skipped, Warned
from agent.sidecar.settings import Settings

MakeSettings = Callable[..., Settings]
GIB = 2**30


def varint(value: int) -> bytes:
    digits = [value >> shift & 0x7F for shift in range(0, max(1, value.bit_length()), 7)]
    return bytes([digit | 0x80 for digit in digits[:-1]] + digits[-1:])


def part(field: int, message: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(message)) + message


def number(field: int, value: int) -> bytes:
    """A number as proto3 writes it: zero is left out."""
    return varint(field << 3) + varint(value) if value else b""


def response(values: dict[int, int]) -> bytes:
    """Returns a MetricResponse with one point for each device, and the fields that the check skips."""
    points = b""
    for device, value in values.items():
        attribute = part(1, b"device-id") + part(2, number(3, device))
        time = part(2, number(1, 1_700_000_000) + number(2, 999))
        points += part(3, part(1, attribute) + time + part(3, number(2, value)))
    return part(1, part(1, b"the.name") + part(2, b"A description.") + points)


class Libtpu:
    """The service on a port of its own. `values` has bytes by metric and device."""

    def __init__(self) -> None:
        self.values: dict[str, dict[int, int]] = {}
        self.broken: bytes | None = None

    def get(self, request: bytes, context: object) -> bytes:
        assert request[0] == 1 << 3 | 2 and request[1] == len(request) - 2
        name = request[2:].decode()
        return self.broken if self.broken is not None else response(self.values[name])


@pytest.fixture
def libtpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[Libtpu]:
    fake = Libtpu()
    method = grpc.unary_unary_rpc_method_handler(fake.get)
    service = grpc.method_handlers_generic_handler(
        "tpu.monitoring.runtime.RuntimeMetricService", {"GetRuntimeMetric": method}
    )
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((service,))
    port = server.add_secure_port("localhost:0", grpc.local_server_credentials())
    server.start()
    monkeypatch.setattr(reader, "ADDRESS", f"localhost:{port}")
    yield fake
    server.stop(None)


def check(chosen: Settings) -> str:
    import httpx

    return asyncio.run(hbm.hbm(Run(chosen, Client(httpx.AsyncClient(), "gemma"))))


def test_memory_as_planned_passes(libtpu: Libtpu, settings: MakeSettings) -> None:
    libtpu.values = {
        reader.TOTAL: dict.fromkeys(range(4), 32 * GIB),
        reader.USED: dict.fromkeys(range(4), 29 * GIB),
    }
    libtpu.values[reader.USED][3] = 30 * GIB
    argv = ["--gpu-memory-utilization", "0.95"]
    chosen = settings(lambda content: content["record"].update(argv=argv))
    assert check(chosen) == "30.0 of 32.0 GiB are in use on the fullest chip (94%), as planned (95%)."


@pytest.mark.parametrize(("used", "shown"), [(16 * GIB, "50%"), (32 * GIB, "100%"), (0, "0%")])
def test_other_memory_than_planned_is_a_warning(
    libtpu: Libtpu, settings: MakeSettings, used: int, shown: str
) -> None:
    libtpu.values = {reader.TOTAL: {0: 32 * GIB, 1: 32 * GIB}, reader.USED: {0: used, 1: used}}
    with pytest.raises(Warned, match=rf"\({shown}\), while the plan is 92%"):
        check(settings())


def test_no_service_or_no_chip_is_not_reported(
    libtpu: Libtpu, settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    libtpu.values = {reader.TOTAL: {}, reader.USED: {}}
    with pytest.raises(Skipped, match="libtpu lists no chip"):
        check(settings())
    libtpu.values = {}
    with pytest.raises(Skipped, match="not reported here"):
        check(settings())
    monkeypatch.setattr(reader, "ADDRESS", "localhost:1")
    with pytest.raises(Skipped, match="does not answer on port 8431"):
        check(settings())


def test_a_chip_without_memory_fails(libtpu: Libtpu, settings: MakeSettings) -> None:
    libtpu.values = {reader.TOTAL: {0: 0}, reader.USED: {0: 1}}
    with pytest.raises(Failed, match="without memory"):
        check(settings())


@pytest.mark.parametrize(
    "broken",
    [
        *(b"\x0a", b"\x0a\x05ab", b"\x0b", b"\x08\xff", response({0: 5})[:-1]),
        part(1, part(3, part(3, part(1, b"four")))),
    ],
    ids=repr,
)
def test_a_broken_report_is_a_warning(libtpu: Libtpu, settings: MakeSettings, broken: bytes) -> None:
    libtpu.broken = broken
    with pytest.raises(Warned, match="cannot be read"):
        check(settings())
