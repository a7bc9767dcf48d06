"""Host names from which the server may fetch media."""

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_INSIDE = ("localhost", "local", "internal", "svc", "cluster", "localdomain", "home", "lan")
"""Last labels that no public DNS has: RFC 6761, RFC 6762, ICANN's `internal`, and those of Kubernetes."""


def _public_name(name: str) -> str:
    """Returns a public host name in the form that vLLM compares. Raises ValueError without an end mark."""
    if "/" in name or ":" in name or "@" in name:
        raise ValueError(f"{name!r} has more than a host name; write only the host, as in images.example.com")
    if "*" in name:
        raise ValueError(f"{name!r} has a wildcard, and vLLM compares whole names; list each host by name")
    if name != name.lower():
        raise ValueError(
            f"{name!r} has capital letters, and vLLM compares names in lower case; write {name.lower()}"
        )
    try:
        ipaddress.ip_address(name)
    except ValueError:
        pass
    else:
        raise ValueError(
            f"{name!r} is an address, which no certificate protects; write the name of a public host"
        )
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"{name!r} is not a host name; write one such as images.example.com")
    if len(labels) < 2 or labels[-1] in _INSIDE or labels[-1].isdigit():
        raise ValueError(
            f"{name!r} is not a public host; write a public one, or have clients send data: URLs"
        )
    return name


def _public_names(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise ValueError("the list is empty; name at least one host, or remove it")
    return tuple(_public_name(name) for name in names)


MediaDomains = Annotated[tuple[str, ...], AfterValidator(_public_names)]
"""Names of public hosts: lower case, without scheme, port, path or wildcard."""
