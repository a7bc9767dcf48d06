"""Rules for subnetworks, firewalls, NAT, addresses, health checks and internal load balancing."""

import re
from collections.abc import Iterator

from tools.fake_gcp.checks.rules.base import Case, exactly_one, network, rule
from tools.fake_gcp.checks.shape import Problem
from tools.fake_gcp.schema.kind import UNKNOWN

CHECKS = tuple(f"{name}HealthCheck" for name in ("grpc", "grpcTls", "http", "http2", "https", "ssl", "tcp"))


@rule("gcp:compute/subnetwork:Subnetwork")
def subnetwork(case: Case) -> Iterator[Problem]:
    """https://cloud.google.com/vpc/docs/subnets#valid-ranges: IPv4, /4 to /29, none overlaps another."""
    ranges = [("ipCidrRange", case.get("ipCidrRange"))]
    ranges += [
        ("secondaryIpRanges.ipCidrRange", item.get("ipCidrRange"))
        for item in case.get("secondaryIpRanges", [])
    ]
    seen = []
    for path, text in ranges:
        if text in (None, UNKNOWN):
            continue
        block = network(text)
        if block is None or not 4 <= block.prefixlen <= 29:
            yield path, f"{path}: {text!r} is no IPv4 range from /4 to /29 whose host bits are zero."
            continue
        for other in seen:
            if block.overlaps(other):
                yield path, f"{path}: {text} overlaps {other} of the same subnetwork."
        seen.append(block)
    if (
        not case.given("ipCidrRange", "reservedInternalRange", "ipCollection")
        and case.get("stackType") != "IPV6_ONLY"
    ):
        yield "ipCidrRange", "A subnetwork needs ipCidrRange."


@rule("gcp:compute/firewall:Firewall")
def firewall(case: Case) -> Iterator[Problem]:
    """https://cloud.google.com/firewall/docs/firewalls#rule-components"""
    yield from exactly_one(case, "allows", "denies")
    egress = case.get("direction", "INGRESS") == "EGRESS"
    for path in ("sourceRanges", "sourceTags", "sourceServiceAccounts"):
        if egress and case.given(path) and path != "sourceRanges":
            yield path, f"{path} is for INGRESS rules, and this one is EGRESS."
    if case.given("sourceTags", "targetTags") and case.given(
        "sourceServiceAccounts", "targetServiceAccounts"
    ):
        yield "targetTags", "A firewall rule goes by network tags or by service accounts, not by both."
    priority = case.get("priority", 1000)
    if not 0 <= priority <= 65535:
        yield "priority", f"A firewall rule's priority is 0 to 65535, not {priority}."
    for path in ("allows", "denies"):
        for item in case.get(path, []):
            protocol, ports = item.get("protocol"), item.get("ports") or []
            if ports and protocol not in ("tcp", "udp", "sctp", UNKNOWN):
                yield f"{path}.ports", f"Only tcp, udp and sctp have ports, and the protocol is {protocol!r}."
            for port in ports:
                if port != UNKNOWN and not re.fullmatch(r"\d{1,5}(-\d{1,5})?", str(port)):
                    yield f"{path}.ports", f'{port!r} is no port: write "8000" or "8000-8010".'
    for path in ("sourceRanges", "destinationRanges"):
        for item in case.get(path, []):
            if item != UNKNOWN and ":" not in item and network(item if "/" in item else f"{item}/32") is None:
                yield path, f"{path}: {item!r} is no IP range."


@rule("gcp:compute/routerNat:RouterNat")
def nat(case: Case) -> Iterator[Problem]:
    """https://cloud.google.com/nat/docs/nat-product-interactions and the Compute API's RouterNat."""
    if case.get("natIpAllocateOption") == "MANUAL_ONLY" and not case.given("natIps", "initialNatIps"):
        yield "natIps", "natIpAllocateOption MANUAL_ONLY needs natIps."
    if case.get("natIpAllocateOption") == "AUTO_ONLY" and case.given("natIps"):
        yield "natIps", "natIpAllocateOption AUTO_ONLY takes no natIps."
    listed = case.get("sourceSubnetworkIpRangesToNat") == "LIST_OF_SUBNETWORKS"
    if listed != bool(case.given("subnetworks")):
        yield "subnetworks", "subnetworks and sourceSubnetworkIpRangesToNat LIST_OF_SUBNETWORKS go together."
    if not case.given("natIpAllocateOption") and case.get("type", "PUBLIC") == "PUBLIC":
        yield "natIpAllocateOption", "A public NAT needs natIpAllocateOption."


@rule("gcp:compute/address:Address", "gcp:compute/globalAddress:GlobalAddress")
def address(case: Case) -> Iterator[Problem]:
    """Fields subnetwork, network and purpose: https://cloud.google.com/compute/docs/reference/rest/v1/addresses"""
    internal = case.get("addressType", "EXTERNAL") == "INTERNAL"
    if case.given("subnetwork") and not internal:
        yield "subnetwork", "Only an INTERNAL address has a subnetwork."
    if "globalAddress" in case.kind.token and internal and len(case.given("network", "purpose")) != 2:
        yield "purpose", "An INTERNAL global address needs network and purpose."


@rule("gcp:compute/healthCheck:HealthCheck", "gcp:compute/regionHealthCheck:RegionHealthCheck")
def health_check(case: Case) -> Iterator[Problem]:
    """timeoutSec <= checkIntervalSec: https://cloud.google.com/compute/docs/reference/rest/v1/healthChecks"""
    yield from exactly_one(case, *CHECKS)
    interval, wait = case.get("checkIntervalSec", 5), case.get("timeoutSec", 5)
    if wait > interval:
        yield "timeoutSec", f"timeoutSec ({wait}) may not exceed checkIntervalSec ({interval})."
    for path, top in (
        ("checkIntervalSec", 300),
        ("timeoutSec", 300),
        ("healthyThreshold", 10),
        ("unhealthyThreshold", 10),
    ):
        value = case.get(path)
        if value is not None and not 1 <= value <= top:
            yield path, f"{path} of a health check is 1 to {top}, not {value}."


@rule("gcp:compute/regionBackendService:RegionBackendService")
def backend(case: Case) -> Iterator[Problem]:
    """https://cloud.google.com/load-balancing/docs/backend-service#protocol_to_backends"""
    scheme, protocol = case.get("loadBalancingScheme", "INTERNAL"), case.get("protocol")
    fit = {
        "INTERNAL": ("TCP", "UDP", "UNSPECIFIED"),
        "INTERNAL_MANAGED": ("HTTP", "HTTPS", "HTTP2", "H2C", "GRPC", "TCP"),
    }.get(scheme)
    if fit and protocol and protocol not in fit:
        yield "protocol", f"A backend service of scheme {scheme} speaks {', '.join(fit)}, not {protocol}."
    for item in case.get("backends", []):
        mode = item.get("balancingMode", "UTILIZATION")
        if scheme == "INTERNAL" and mode != "CONNECTION":
            yield "backends.balancingMode", f"Backends of scheme INTERNAL balance by CONNECTION, not {mode}."
        if (
            scheme == "INTERNAL_MANAGED"
            and mode == "RATE"
            and not any(item.get(name) for name in ("maxRate", "maxRatePerInstance", "maxRatePerEndpoint"))
        ):
            yield "backends.maxRate", "balancingMode RATE needs a maximum rate."


@rule("gcp:compute/forwardingRule:ForwardingRule")
def forwarding(case: Case) -> Iterator[Problem]:
    """https://cloud.google.com/load-balancing/docs/forwarding-rule-concepts"""
    scheme = case.get("loadBalancingScheme", "EXTERNAL")
    if scheme == "INTERNAL":
        yield from exactly_one(case, "ports", "allPorts")
        if len(case.get("ports", [])) > 5:
            yield "ports", "An internal forwarding rule has at most five ports; more need allPorts."
        if not case.given("backendService"):
            yield "backendService", "An internal forwarding rule needs backendService."
    if scheme == "INTERNAL_MANAGED" and len(case.given("target", "portRange")) != 2:
        yield "target", "A forwarding rule of scheme INTERNAL_MANAGED needs target and portRange."
