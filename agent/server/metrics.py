"""Metrics of the request guard. vLLM shows them with its own on `/metrics`, because they are in its process.

`tpuserve_guard_refusals_total{reason}`   requests that the guard answered instead of vLLM
`tpuserve_draining`                       1 while the server is about to stop
"""

from typing import Literal, get_args

from prometheus_client import Counter, Gauge

Reason = Literal["stopping", "api_key", "endpoint", "body_size", "request", "media"]
"""`request`: a field or a combination that the server cannot honor. `media`: the address of an image. Answers
to probes are not counted."""

REFUSALS = Counter("tpuserve_guard_refusals", "Requests that the guard refused, by reason.", ("reason",))
DRAINING = Gauge(
    "tpuserve_draining",
    "Server that is about to stop: 1.",
    # Several API server processes are one server: one that stops is enough.
    multiprocess_mode="livemax",
)

for each in get_args(Reason):
    # A series that begins at its first refusal would hide that one from `increase`.
    REFUSALS.labels(each)
