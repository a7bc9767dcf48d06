"""Rules for GKE clusters and node pools."""

import datetime
import re
from collections.abc import Iterator

from tools.fake_gcp.checks.rules.base import Case, network, rule, v6e_zone
from tools.fake_gcp.checks.shape import Problem
from tools.fake_gcp.schema.kind import UNKNOWN
from tools.fake_gcp.schema.kinds.container import CLUSTER, POOL

SINGLE_HOST = ("ct6e-standard-1t", "ct6e-standard-4t", "ct6e-standard-8t")
TPU = "ct6e-"
TPU_DISKS = ("hyperdisk-balanced", "hyperdisk-ml")
WEEK = 604800


def tpu(case: Case) -> bool:
    """Returns whether the pool's machines have v6e chips."""
    return str(case.get("nodeConfig.machineType", "")).startswith(TPU)


@rule(CLUSTER, POOL)
def names(case: Case) -> Iterator[Problem]:
    """Source: the description of Cluster.name in the discovery document; node pools follow the same rule."""
    name = case.get("name")
    if name and not re.fullmatch(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", name):
        yield (
            "name",
            f"The name {name!r} has {len(name)} characters: GKE takes up to 40 lower-case letters, digits or "
            "hyphens, beginning with a letter and not ending with a hyphen.",
        )


@rule(POOL)
def single_host(case: Case) -> Iterator[Problem]:
    """Google's own words, as quoted in AI-Hypercomputer/xpk#825 (and again in #822): "TPU topology can't be
    specified with single-host TPU slice pool; please remove the tpu_topology"."""
    topology = case.get("placementPolicy.tpuTopology")
    chips = 1
    for size in (topology or "").split("x"):
        chips *= int(size) if size.isdigit() else 1
    if case.get("nodeConfig.machineType") not in SINGLE_HOST or not case.given("placementPolicy"):
        return
    own = int(str(case.get("nodeConfig.machineType"))[-2])
    if topology is None or chips <= own:
        yield (
            "placementPolicy",
            "A single-host TPU pool takes no placementPolicy: remove it, because the machine type already "
            f"gives the slice (here {topology or 'without a topology'} on "
            f"{case.get('nodeConfig.machineType')}).",
        )


@rule(POOL)
def tpu_place(case: Case) -> Iterator[Problem]:
    """Disks: https://cloud.google.com/tpu/docs/setup-persistent-disk; one zone and per-zone limits:
    https://cloud.google.com/kubernetes-engine/docs/how-to/tpus and vllm-project/ci-infra#545."""
    if not tpu(case):
        return
    for path in ("nodeConfig.diskType", "nodeConfig.bootDisk.diskType"):
        disk = case.get(path)
        if disk and disk not in TPU_DISKS:
            yield path, f"v6e machines take {' or '.join(TPU_DISKS)} disks, not {disk}."
    if not case.given("nodeConfig.diskType", "nodeConfig.bootDisk"):
        yield (
            "nodeConfig.diskType",
            "A v6e pool must name hyperdisk-balanced: the default pd-balanced does not fit.",
        )
    zones = case.get("nodeLocations", [])
    if len(zones) > 1:
        yield "nodeLocations", f"A TPU pool lives in exactly one zone, and these are {len(zones)}."
    for zone in zones:
        yield from v6e_zone(str(case.get("nodeConfig.machineType")), "nodeLocations", zone)
    if case.given("nodeConfig.guestAccelerators"):
        yield (
            "nodeConfig.guestAccelerators",
            "A TPU machine's chips come with its type; guestAccelerators are GPUs.",
        )
    image = str(case.get("nodeConfig.imageType", "COS_CONTAINERD")).upper()
    if not image.startswith("COS"):
        yield "nodeConfig.imageType", f"TPU pools run Container-Optimized OS (COS_CONTAINERD), not {image}."


@rule(POOL, CLUSTER)
def reservation(case: Case) -> Iterator[Problem]:
    """https://cloud.google.com/kubernetes-engine/docs/how-to/consuming-reservations"""
    kind = case.get("nodeConfig.reservationAffinity.consumeReservationType")
    named = case.given("nodeConfig.reservationAffinity.key", "nodeConfig.reservationAffinity.values")
    path = "nodeConfig.reservationAffinity"
    if kind == "SPECIFIC_RESERVATION":
        key = case.get(f"{path}.key")
        if len(named) != 2 or key not in (None, "compute.googleapis.com/reservation-name"):
            yield path, "SPECIFIC_RESERVATION needs key compute.googleapis.com/reservation-name and values."
        if case.get("nodeConfig.spot") or case.get("nodeConfig.flexStart"):
            yield path, "Spot and flex-start nodes cannot consume a reservation."
    elif named:
        yield path, f"{kind} takes no key and no values."


@rule(POOL, CLUSTER)
def provisioning(case: Case) -> Iterator[Problem]:
    """https://cloud.google.com/kubernetes-engine/docs/concepts/dws and /how-to/dws-flex-start-inference."""
    models = [name for name in ("spot", "preemptible", "flexStart") if case.get(f"nodeConfig.{name}")]
    if len(models) > 1:
        yield (
            f"nodeConfig.{models[1]}",
            f"A node is one of spot, preemptible or flex-start, not {' and '.join(models)}.",
        )
    duration = case.get("nodeConfig.maxRunDuration")
    if duration and re.fullmatch(r"\d+s", duration) and not 600 <= int(duration[:-1]) <= WEEK:
        yield "nodeConfig.maxRunDuration", f"Nodes run 600s to {WEEK}s (7 days), not {duration}."
    queued = case.get("queuedProvisioning.enabled")
    if not (case.get("nodeConfig.flexStart") or queued):
        return
    what = "flex-start" if case.get("nodeConfig.flexStart") else "queued"
    if case.get("management.autoRepair", True):
        yield "management.autoRepair", f"A {what} pool must turn autoRepair off."
    if case.get("nodeConfig.reservationAffinity.consumeReservationType") != "NO_RESERVATION":
        yield "nodeConfig.reservationAffinity", f"A {what} pool must state NO_RESERVATION."
    if not case.given("autoscaling"):
        yield "autoscaling", f"A {what} pool needs autoscaling: capacity is requested when a pod waits."
    for path in (
        "autoscaling.minNodeCount",
        "autoscaling.totalMinNodeCount",
        "initialNodeCount",
        "nodeCount",
    ):
        if case.get(path, 0):
            yield path, f"A {what} pool begins empty: {path} must be 0, not {case.get(path)}."
    if case.given("upgradeSettings"):
        yield (
            "upgradeSettings",
            f"A {what} pool's upgrade strategy is SHORT_LIVED, which the provider does not accept: leave "
            "upgradeSettings out, and GKE sets it.",
        )


@rule(POOL)
def sizes(case: Case) -> Iterator[Problem]:
    """Descriptions of NodePoolAutoscaling in the discovery document."""
    zonal = case.given("autoscaling.minNodeCount", "autoscaling.maxNodeCount")
    total = case.given("autoscaling.totalMinNodeCount", "autoscaling.totalMaxNodeCount")
    if zonal and total:
        yield "autoscaling", f"{zonal[0]} and {total[0]} exclude each other."
    for low, high in (("minNodeCount", "maxNodeCount"), ("totalMinNodeCount", "totalMaxNodeCount")):
        least, most = case.get(f"autoscaling.{low}", 0), case.get(f"autoscaling.{high}")
        if most is not None and least > most:
            yield f"autoscaling.{low}", f"{low} ({least}) exceeds {high} ({most})."
        if most == 0:
            yield f"autoscaling.{high}", f"{high} must be at least 1."
    if case.given("autoscaling") and not case.given(
        "autoscaling.maxNodeCount", "autoscaling.totalMaxNodeCount"
    ):
        yield "autoscaling", "autoscaling needs maxNodeCount or totalMaxNodeCount."
    if tpu(case) and total:
        yield (
            "autoscaling",
            "A TPU pool counts nodes per zone: use minNodeCount and maxNodeCount, not the totals.",
        )
    if case.get("nodeConfig.diskSizeGb", 10) < 10:
        yield "nodeConfig.diskSizeGb", "A node's boot disk has at least 10 GB."


@rule(POOL)
def upgrades(case: Case) -> Iterator[Problem]:
    """https://cloud.google.com/kubernetes-engine/docs/concepts/node-pool-upgrade-strategies"""
    strategy = case.get("upgradeSettings.strategy", "SURGE")
    surge, unavailable = case.get("upgradeSettings.maxSurge"), case.get("upgradeSettings.maxUnavailable")
    if strategy == "SURGE" and case.given("upgradeSettings"):
        if not (surge or unavailable):
            yield (
                "upgradeSettings",
                "maxSurge and maxUnavailable cannot both be 0: no node could be upgraded.",
            )
        if (surge or 0) + (unavailable or 0) > 20:
            yield "upgradeSettings", "maxSurge and maxUnavailable are at most 20 together."
    if strategy == "BLUE_GREEN":
        if surge is not None or unavailable is not None:
            yield (
                "upgradeSettings",
                "maxSurge and maxUnavailable are for SURGE, and the strategy is BLUE_GREEN.",
            )
        if case.get("placementPolicy.type") == "COMPACT":
            yield "upgradeSettings", "A pool with compact placement cannot be upgraded BLUE_GREEN."


@rule(CLUSTER)
def cluster_network(case: Case) -> Iterator[Problem]:
    """https://cloud.google.com/kubernetes-engine/docs/how-to/private-clusters and /dataplane-v2."""
    block = case.get("privateClusterConfig.masterIpv4CidrBlock")
    if block:
        parsed = network(block)
        if parsed is None or parsed.prefixlen != 28 or not parsed.is_private:
            yield (
                "privateClusterConfig.masterIpv4CidrBlock",
                f"The control plane takes a private /28 range, not {block}.",
            )
    if (
        case.get("privateClusterConfig.enablePrivateEndpoint")
        and not case.given("masterAuthorizedNetworksConfig")
        and not case.get("controlPlaneEndpointsConfig.dnsEndpointConfig.allowExternalTraffic")
    ):
        yield (
            "masterAuthorizedNetworksConfig",
            "A cluster whose endpoint is private needs masterAuthorizedNetworksConfig, or its DNS "
            "endpoint open to external traffic: nobody could reach it otherwise.",
        )
    if case.get("datapathProvider") == "ADVANCED_DATAPATH" and case.get("networkPolicy.enabled"):
        yield "networkPolicy", "Dataplane V2 enforces network policies itself: leave networkPolicy out."
    for item in case.get("masterAuthorizedNetworksConfig.cidrBlocks", []):
        if item.get("cidrBlock") not in (None, UNKNOWN) and network(item["cidrBlock"]) is None:
            yield "masterAuthorizedNetworksConfig.cidrBlocks", f"{item['cidrBlock']!r} is no IPv4 range."


@rule(CLUSTER)
def cluster_features(case: Case) -> Iterator[Problem]:
    """Descriptions in the discovery document; requirements of the CSI drivers' own pages:
    https://cloud.google.com/kubernetes-engine/docs/how-to/cloud-storage-fuse-csi-driver-setup and
    https://cloud.google.com/secret-manager/docs/secret-manager-managed-csi-component."""
    pool = case.get("workloadIdentityConfig.workloadPool")
    project = case.variable("project")
    if pool and project and pool != f"{project}.svc.id.goog":
        yield (
            "workloadIdentityConfig.workloadPool",
            f"The workload pool is {project}.svc.id.goog, not {pool}.",
        )
    autopilot = case.get("enableAutopilot")
    if not autopilot and not case.given("workloadIdentityConfig"):
        for path in ("addonsConfig.gcsFuseCsiDriverConfig.enabled", "secretManagerConfig.enabled"):
            if case.get(path):
                yield path, f"{path} needs workloadIdentityConfig: the driver acts as the pod's own identity."
    if autopilot and case.get("removeDefaultNodePool"):
        yield "removeDefaultNodePool", "An Autopilot cluster has no default node pool to remove."
    if not autopilot and not case.get("initialNodeCount"):
        yield (
            "initialNodeCount",
            "A Standard cluster begins with a pool: initialNodeCount must be at least 1.",
        )
    if not case.variable("location"):
        yield "location", "A cluster needs a location: a region or a zone."


@rule(CLUSTER)
def version(case: Case) -> Iterator[Problem]:
    """`initialClusterVersion` in the discovery document: an exact version, or an alias."""
    asked = case.get("minMasterVersion")
    if asked and not re.fullmatch(r"1\.\d+(\.\d+(-gke\.\d+)?)?|latest|-", asked):
        yield "minMasterVersion", f"{asked!r} is no version such as 1.35 or 1.35.1-gke.1000000."


@rule(CLUSTER)
def maintenance(case: Case) -> Iterator[Problem]:
    """https://cloud.google.com/kubernetes-engine/docs/concepts/maintenance-windows-and-exclusions"""
    path = "maintenancePolicy.recurringWindow"
    start, end = case.get(f"{path}.startTime"), case.get(f"{path}.endTime")
    if start and end and (span := _hours(start, end)) is not None and span < 4:
        yield path, f"A maintenance window lasts at least 4 hours, not {span:g}."
    recurrence = case.get(f"{path}.recurrence")
    if recurrence and not re.fullmatch(r"FREQ=(DAILY|WEEKLY|MONTHLY)(;[A-Z]+=[-A-Z0-9,]+)*", recurrence):
        yield path, f"{recurrence!r} is no RFC 5545 recurrence such as FREQ=WEEKLY;BYDAY=SA,SU."
    exclusions = case.get("maintenancePolicy.maintenanceExclusions", [])
    if len(exclusions) > 20:
        yield "maintenancePolicy.maintenanceExclusions", "A cluster has at most 20 maintenance exclusions."
    for item in exclusions:
        span = _hours(item.get("startTime", ""), item.get("endTime", ""))
        options = item.get("exclusionOptions") or {}
        scope = options.get("scope", "NO_UPGRADES")
        if bool(item.get("endTime")) == bool(options.get("endTimeBehavior")):
            yield (
                "maintenancePolicy.maintenanceExclusions",
                f"The exclusion {item['exclusionName']!r} needs endTime or endTimeBehavior, and not both.",
            )
        if span is not None and span <= 0:
            yield (
                "maintenancePolicy.maintenanceExclusions",
                f"The exclusion {item['exclusionName']!r} ends before it begins.",
            )
        if span is not None and scope == "NO_UPGRADES" and span > 30 * 24:
            yield (
                "maintenancePolicy.maintenanceExclusions",
                "An exclusion of scope NO_UPGRADES lasts at most 30 days.",
            )


def _hours(start: str, end: str) -> float | None:
    try:
        first, second = (datetime.datetime.fromisoformat(text) for text in (start, end))
    except (ValueError, TypeError):
        return None
    return (second - first).total_seconds() / 3600
