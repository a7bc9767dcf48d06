"""Network policies of the server's pods: a direction in which they allow nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

from operate.diagnosis.evidence import Document, Evidence


def closed(evidence: Evidence, direction: str, port: int | None = None) -> str | None:
    """Returns a clause when the policies of a server's pod allow nothing in this direction, else None.

    `direction` is ingress or egress. With `port`, a rule has to allow this TCP port; which peers it names is
    not compared. A pod that no policy selects in this direction is open (the API's NetworkPolicySpec).
    """
    if not evidence.servers:
        return None
    labels: Mapping[str, str] = evidence.servers[0]["metadata"].get("labels", {})
    policies = [each for each in evidence.policies if _applies(each["spec"], labels, direction)]
    rules = [rule for each in policies for rule in each["spec"].get(direction) or ()]
    if not policies or any(_allows(rule, port) for rule in rules):
        return None
    names = ", ".join(each["metadata"]["name"] for each in policies)
    way = "lets nobody call" if direction == "ingress" else "lets the server call nobody"
    return f"NetworkPolicy {names} {way}{f' port {port}' if port is not None else ''}"


def _applies(spec: Document, labels: Mapping[str, str], direction: str) -> bool:
    types: Sequence[str] = spec.get("policyTypes") or ["Ingress"]
    selector: Mapping[str, Any] = spec.get("podSelector") or {}
    selected = (selector.get("matchLabels") or {}).items() <= labels.items()
    return direction.capitalize() in types and selected and not selector.get("matchExpressions")


def _allows(rule: Mapping[str, Any], port: int | None) -> bool:
    ports: Sequence[Mapping[str, Any]] | None = rule.get("ports")
    return port is None or not ports or any(each.get("port") in (None, port) for each in ports)
