"""GKE: the version that a new cluster gets, and what an existing cluster has."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from config.provisioning import lacking_gke, version_numbers
from config.targets import ExistingCluster, GkeTarget, NewCluster
from doctor.case import Case
from doctor.google import Absent
from doctor.outcome import Outcome, missing, ok
from stacks.gcp.foundation import NETWORK


def is_new(case: Case) -> bool:
    """Returns whether the stack creates its cluster."""
    return isinstance(case.target, GkeTarget) and isinstance(case.target.cluster, NewCluster)


def is_existing(case: Case) -> bool:
    """Returns whether the stack uses a cluster that exists."""
    return isinstance(case.target, GkeTarget) and isinstance(case.target.cluster, ExistingCluster)


def version(case: Case) -> Outcome:
    """Asks which version a new cluster of the release channel gets, and what a cluster of the stack runs."""
    assert isinstance(case.target, GkeTarget) and isinstance(case.target.cluster, NewCluster)
    settings, region = case.target.cluster, case.target.region
    channel = settings.release_channel
    location = f"projects/{case.target.project}/locations/{region}"
    config = case.google.get("container", f"{location}/serverConfig")
    found = [each for each in config.get("channels", []) if each.get("channel") == channel]
    offered = str(found[0].get("defaultVersion", "")) if found else ""
    if not offered:
        return missing(
            f"target.cluster.release_channel is {channel}, which GKE does not offer in {region}: choose "
            "another."
        )
    described = f"A new cluster of the channel {channel} in {region}"
    if settings.minor_version is not None:
        valid = [str(each) for each in found[0].get("validVersions", [])]
        patches = [each for each in valid if each.startswith(f"{settings.minor_version}.")]
        if not patches:
            return missing(_not_offered(settings.minor_version, channel, region, valid))
        offered = max(patches, key=version_numbers)
        described += f" with target.cluster.minor_version {settings.minor_version}"
        running = _running(case, f"{location}/clusters/{case.prefix}")
        newer = ".".join(map(str, version_numbers(running)[:2]))
        if version_numbers(newer) > version_numbers(settings.minor_version):
            return missing(
                f"target.cluster.minor_version is {settings.minor_version}, and {case.prefix} runs "
                f"{running}: GKE does not go back to an older minor version; set it to {newer}."
            )
    lacking = lacking_gke(case.target.capacity, offered)
    if lacking:
        return missing(
            f"{described} gets {offered}, and {lacking}: choose a faster channel, or another "
            "target.capacity.kind."
        )
    return ok(f"{described} gets {offered}, which has what the stack uses.")


def _not_offered(asked: str, channel: str, region: str, valid: Sequence[str]) -> str:
    """Returns the sentence on a minor version that a channel does not have among its `valid` versions."""
    minors = sorted({version_numbers(each)[:2] for each in valid})
    others = ", ".join(".".join(map(str, each)) for each in minors)
    return (
        f"target.cluster.minor_version is {asked}, which the channel {channel} does not offer in {region}: "
        f"choose one of {others}, or another channel."
    )


def _running(case: Case, path: str) -> str:
    """Returns the version of the stack's own control plane; empty before the first `up`."""
    try:
        return str(case.google.get("container", path).get("currentMasterVersion", ""))
    except Absent:
        return ""


def existing(case: Case) -> Outcome:
    """Asks whether an existing cluster has what the stack needs."""
    assert isinstance(case.target, GkeTarget) and isinstance(case.target.cluster, ExistingCluster)
    named = case.target.cluster
    project = case.target.project
    described = f"target.cluster is {named.name} in {named.location}"
    try:
        cluster = case.google.get(
            "container", f"projects/{project}/locations/{named.location}/clusters/{named.name}"
        )
    except Absent:
        return missing(f"{described}, which {project} does not have: fix its name or its location.")
    running = str(cluster.get("currentMasterVersion", ""))
    lacking = lacking_gke(case.target.capacity, running)
    if lacking:
        return missing(f"{described}, which runs {running}, and {lacking}: upgrade it.")
    features = list(_lacking_features(project, cluster))
    if features:
        return missing(
            f"{described}, which lacks {', '.join(features)}: add what docs/operations.md lists in *A "
            "cluster that exists*."
        )
    return ok(f"{described}, which runs {running} and has what the stack uses.")


def _lacking_features(project: str, cluster: Mapping[str, Any]) -> Iterator[str]:
    """Yields the features that the stack uses and the cluster lacks."""
    addons = cluster.get("addonsConfig", {})
    endpoints = cluster.get("controlPlaneEndpointsConfig", {})
    if cluster.get("workloadIdentityConfig", {}).get("workloadPool") != f"{project}.svc.id.goog":
        yield "Workload Identity"
    if not endpoints.get("dnsEndpointConfig", {}).get("allowExternalTraffic"):
        yield "a DNS endpoint"
    if not addons.get("gcsFuseCsiDriverConfig", {}).get("enabled"):
        yield "the GCS FUSE add-on"
    if not cluster.get("secretManagerConfig", {}).get("enabled"):
        yield "the Secret Manager add-on"
    if not cluster.get("secretManagerConfig", {}).get("rotationConfig", {}).get("enabled"):
        yield "the rotation of secrets"
    if addons.get("httpLoadBalancing", {}).get("disabled"):
        yield "HTTP load balancing"
    if not cluster.get("monitoringConfig", {}).get("managedPrometheusConfig", {}).get("enabled"):
        yield "Managed Prometheus"
    if cluster.get("network") != NETWORK:
        yield "the foundation's VPC"
    if cluster.get("networkConfig", {}).get("datapathProvider") != "ADVANCED_DATAPATH":
        yield "Dataplane V2"
    if cluster.get("networkConfig", {}).get("gatewayApiConfig", {}).get("channel") != "CHANNEL_STANDARD":
        yield "the Gateway API"
