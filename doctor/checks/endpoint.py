"""Endpoint of a stack: its DNS record, and its certificate."""

import socket

from components.gcp.certificate import certificate_name
from config.targets import Endpoint, GkeTarget
from doctor.case import Case
from doctor.google import Absent
from doctor.outcome import Outcome, missing, note, ok


def has_endpoint(case: Case) -> bool:
    """Returns whether the stack has a load balancer."""
    return case.serving.target.endpoint is not None


def dns_record(case: Case) -> Outcome:
    """Compares the hostname's addresses with the load balancer's."""
    hostname = _endpoint(case).hostname
    try:
        address = _address(case)
    except Absent:
        return note(
            f"{hostname} has no address yet: `pulumi up` reserves one, and its output dns_records has the "
            "records to add to your DNS zone."
        )
    resolved = addresses(hostname)
    if address not in resolved:
        seen = f"resolves to {', '.join(resolved)}" if resolved else "does not resolve from this machine"
        return missing(
            f"{hostname} {seen}, and the load balancer is at {address}: add `{hostname} A {address}`."
        )
    return ok(f"{hostname} resolves to the load balancer's {address}.")


def certificate(case: Case) -> Outcome:
    """Asks whether Google has issued the certificate."""
    hostname = _endpoint(case).hostname
    name = certificate_name(case.prefix, hostname)
    place = f"projects/{case.target.project}/locations/{case.target.region}"
    try:
        managed = case.google.get("certificatemanager", f"{place}/certificates/{name}").get("managed", {})
    except Absent:
        return note(
            f"{hostname} has no certificate yet: `pulumi up` requests it, and Google issues it some minutes "
            "after the record in the output dns_records can be read from the internet."
        )
    state = managed.get("state")
    if state == "ACTIVE":
        return ok(f"The certificate of {hostname} is active.")
    reasons = [
        str(reason)
        for reason in (
            managed.get("provisioningIssue", {}).get("reason"),
            *(attempt.get("failureReason") for attempt in managed.get("authorizationAttemptInfo", [])),
        )
        if reason
    ]
    described = f"The certificate of {hostname} is {state}" + (f" ({', '.join(reasons)})" if reasons else "")
    return missing(
        f"{described}: add `{_record(case, place, name)}` to your public DNS zone, and wait some minutes."
    )


def addresses(hostname: str) -> tuple[str, ...]:
    """Returns the IPv4 addresses to which this machine resolves a name; none if it does not."""
    try:
        found = socket.getaddrinfo(hostname, 443, family=socket.AF_INET, type=socket.SOCK_STREAM)
    except OSError:
        return ()
    return tuple(sorted({str(each[4][0]) for each in found}))


def _endpoint(case: Case) -> Endpoint:
    endpoint = case.serving.target.endpoint
    assert endpoint is not None
    return endpoint


def _address(case: Case) -> str:
    """Returns the load balancer's address. Raises Absent before the first `up`, and Refused."""
    place = f"projects/{case.target.project}/regions/{case.target.region}"
    if isinstance(case.target, GkeTarget):
        name = f"{case.prefix}-{_endpoint(case).exposure}"
        return str(case.google.get("compute", f"{place}/addresses/{name}")["address"])
    return str(case.google.get("compute", f"{place}/forwardingRules/{case.prefix}")["IPAddress"])


def _record(case: Case, place: str, name: str) -> str:
    """Returns the record with which Google checks that the hostname is the project's."""
    try:
        found = case.google.get("certificatemanager", f"{place}/dnsAuthorizations/{name}")
    except Absent:
        return "the record in the output dns_records"
    record = found.get("dnsResourceRecord", {})
    return f"{record.get('name')} {record.get('type')} {record.get('data')}"
