"""Counters of a server's and its sidecar's `/metrics`, read before and after a cell."""

import re
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

TIMEOUT_SECONDS = 30
IDLE_SECONDS = 60
"""Seconds within which a server has ended its last request."""
SETTLE_SECONDS = 2
"""Seconds after which the engine has written its count of compiled programs: it writes once a second."""

_SAMPLE = re.compile(r"^([A-Za-z_:][\w:]*)(?:\{.*\})? (\S+)", re.MULTILINE)

# A proxy from the environment does not reach a pod's address.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class NotReadable(Exception):
    """Failure to read the metrics. The text says which and why."""


@dataclass(frozen=True)
class Counters:
    """Counts since the server's start (vllm/v1/metrics/loggers.py, 0.32).

    `compiled` are the programs that were compiled after the warm-up; None when no sidecar counts them.
    """

    prefix_cache_hits: int
    preemptions: int
    ended: int
    open: int
    compiled: int | None


@dataclass(frozen=True)
class Addresses:
    """Addresses of the metrics: the server's base URL, and the URL of its sidecar's metrics if it has one."""

    server: str
    sidecar: str | None


def samples(text: str) -> dict[str, float]:
    """Returns the sum of each metric's samples over all labels."""
    sums: dict[str, float] = {}
    for name, value in _SAMPLE.findall(text):
        sums[name] = sums.get(name, 0.0) + float(value)
    return sums


def parse(server: str, sidecar: str | None) -> Counters:
    """Returns the counters in two texts of Prometheus' format. Raises NotReadable for a missing counter."""
    found = samples(server)
    compiled = None if sidecar is None else samples(sidecar).get("tpuserve_compiled_after_warm_up")
    try:
        return Counters(
            prefix_cache_hits=int(found["vllm:prefix_cache_hits_total"]),
            preemptions=int(found["vllm:num_preemptions_total"]),
            ended=int(found["vllm:request_success_total"]),
            open=int(found["vllm:num_requests_running"] + found["vllm:num_requests_waiting"]),
            compiled=None if compiled is None else int(compiled),
        )
    except KeyError as name:
        raise NotReadable(f"the server's /metrics has no {name.args[0]}; serve with vLLM 0.32") from None


def read(addresses: Addresses) -> Counters:
    """Returns the counters now. Raises NotReadable."""
    sidecar = None if addresses.sidecar is None else _get(addresses.sidecar)
    return parse(_get(f"{addresses.server}/metrics"), sidecar)


def idle(addresses: Addresses, pause: Callable[[float], None] = time.sleep) -> Counters:
    """Returns the counters once the server has no open request. Raises NotReadable when it keeps some."""
    for _ in range(IDLE_SECONDS):
        if read(addresses).open == 0:
            pause(SETTLE_SECONDS)
            counters = read(addresses)
            if counters.open == 0:
                return counters
        pause(1)
    raise NotReadable(
        f"the server had open requests for {IDLE_SECONDS} s; run the load test while it has no other clients"
    )


def _get(url: str) -> str:
    try:
        with _OPENER.open(url, timeout=TIMEOUT_SECONDS) as answer:
            return answer.read().decode()
    except OSError as error:
        raise NotReadable(f"{url} does not answer ({getattr(error, 'reason', error)})") from None
