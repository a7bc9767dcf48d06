"""Address of the collector that receives a server's traces."""

import re
from typing import Annotated, NamedTuple

from pydantic import AfterValidator

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_SERVICE = re.compile(
    rf"http://(?P<name>{_LABEL})\.(?P<namespace>{_LABEL})\.svc(?:\.cluster\.local)?:(?P<port>[1-9][0-9]{{0,4}})"
)


class Collector(NamedTuple):
    """Namespace and port of a collector, which the network policy opens to the server."""

    namespace: str
    port: int


def collector(endpoint: str) -> Collector:
    """Returns the collector of an endpoint. Raises ValueError, without an end mark, for any other address."""
    match = _SERVICE.fullmatch(endpoint)
    if match is None or int(match["port"]) > 65_535:
        raise ValueError(
            f"{endpoint!r} is no Service of the cluster, and the server may call no other collector; write "
            "it as http://NAME.NAMESPACE.svc:4317"
        )
    return Collector(match["namespace"], int(match["port"]))


def _checked(endpoint: str) -> str:
    collector(endpoint)
    return endpoint


CollectorEndpoint = Annotated[str, AfterValidator(_checked)]
"""A Service in the cluster as vLLM's gRPC exporter takes it (vllm/tracing/otel.py: without TLS or a token, so
nothing outside the cluster can be meant)."""
