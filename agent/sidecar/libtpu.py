"""Gauges that libtpu reports while a server runs, by chip.

libtpu serves `tpu.monitoring.runtime.RuntimeMetricService` on localhost:8431. Names and numbers of the fields
are those of tpu_info/proto/tpu_metric_service.proto in
https://github.com/AI-Hypercomputer/cloud-accelerator-diagnostics. They are read one by one, because generated
classes need one version of protobuf.
"""

import struct
from collections.abc import Callable, Iterator
from typing import cast

import grpc

ADDRESS = "localhost:8431"
METHOD = "/tpu.monitoring.runtime.RuntimeMetricService/GetRuntimeMetric"
TOTAL, USED = "tpu.runtime.hbm.memory.total.bytes", "tpu.runtime.hbm.memory.usage.bytes"
DUTY_CYCLE = "tpu.runtime.tensorcore.dutycycle.percent"

# Field numbers from the response down to the values: MetricResponse.metric, TPUMetric.metrics,
# Metric.attribute, Attribute.value, AttrValue.int_attr, Metric.gauge, Gauge.as_double, Gauge.as_int.
_METRIC, _METRICS, _ATTRIBUTE, _VALUE, _INT_ATTR, _GAUGE, _AS_DOUBLE, _AS_INT = 1, 3, 1, 2, 3, 3, 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
"""Wire types (https://protobuf.dev/programming-guides/encoding/)."""
_DOUBLE_BYTES = 8


def memory(seconds: float) -> tuple[dict[int, float], dict[int, float]]:
    """Returns the bytes of each chip's memory, and those in use. Raises as `read` does."""
    return read(TOTAL, seconds), read(USED, seconds)


def read(metric: str, seconds: float) -> dict[int, float]:
    """Returns a gauge of libtpu by chip, within `seconds`.

    Raises grpc.RpcError for no answer and ValueError for a broken one.
    """
    with grpc.secure_channel(ADDRESS, grpc.local_channel_credentials()) as channel:
        name = metric.encode()
        request = bytes((1 << 3 | _BYTES, len(name))) + name
        # Without serializers, requests and answers are bytes.
        ask = cast(Callable[..., bytes], channel.unary_unary(METHOD))
        return gauges(ask(request, timeout=seconds))


def gauges(response: bytes) -> dict[int, float]:
    """Returns the values of a MetricResponse by the number in their attribute. Raises ValueError."""
    values: dict[int, float] = {}
    for metric in _parts(response, _METRIC):
        for point in _parts(metric, _METRICS):
            numbers = [
                number
                for attribute in _parts(point, _ATTRIBUTE)
                for value in _parts(attribute, _VALUE)
                for number in _numbers(value, _INT_ATTR)
            ]
            gauge = [number for part in _parts(point, _GAUGE) for number in _measures(part)]
            # A value of zero is left out by the encoding.
            values[numbers[0] if numbers else 0] = gauge[0] if gauge else 0
    return values


def _measures(gauge: bytes) -> Iterator[float]:
    yield from _numbers(gauge, _AS_INT)
    for value in _parts(gauge, _AS_DOUBLE):
        if len(value) != _DOUBLE_BYTES:
            raise ValueError(f"a number of {len(value)} bytes")
        yield struct.unpack("<d", value)[0]


def _parts(message: bytes, field: int) -> Iterator[bytes]:
    yield from (value for number, value in _fields(message) if number == field and isinstance(value, bytes))


def _numbers(message: bytes, field: int) -> Iterator[int]:
    yield from (value for number, value in _fields(message) if number == field and isinstance(value, int))


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            size, at = _varint(message, at)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind}")
        if at + size > len(message):
            raise ValueError("it is cut off")
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message):
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError("it is cut off")
