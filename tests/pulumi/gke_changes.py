"""One change of staging's configuration in each row: how many servers answer while it is made, and exactly
the resources that it changes."""

from collections.abc import Mapping, Sequence
from typing import Any

from components.gcp.certificate import hostname_digest
from tests.pulumi.deployment import steps

Row = tuple[str, dict[str, Any], int, dict[str, str]]
"""Name, changed keys, servers that answer meanwhile, steps. With 0, nobody answers for one boot with its
acceptance; the output `rollout` has the seconds."""

HOST = "tpuserve-staging.example.org"
SERVER = "vllm-server"
POOL = "slices-v6e-4-flex-start-b-b9a9"
# The pods are replaced one after another; the settings of their sidecars have a new name.
RELEASE = {"vllm-server": "update", "vllm-sidecar": "create, delete"}
WEIGHTS = {"weights-job": "create, delete"}
# The Deployment's timeout follows the provisioning model; its pods stay as they are.
PATIENCE = {"vllm-server": "update"}
# On spot nodes the pods leave the endpoints sooner, so the load balancer drains for less.
SHORT_STOP = {"gateway-GCPBackendPolicy": "update"}
TOKEN = {"hugging-face-token-class": "delete"}
CLUSTER = {"cluster-control-plane": "update"}
PAIR = {"replicas": 2}
PAIRED = {POOL: "update", "vllm-server": "update"}
SPARE = {"rollout": {"surge": 1}}
POLICIES = ("gateway-GCPBackendPolicy", "gateway-HealthCheckPolicy")
ALERTS = (
    "AcceptanceFailed",
    "AnswersFail",
    "ApiKeyOld",
    "CertificateExpires",
    "CompiledAfterWarmUp",
    "HbmFreeBelowPlan",
    "KvCacheNearlyFull",
    "MaintenanceAnnounced",
    "NoReadyServer",
    "NodeInterrupted",
    "QueueTooLong",
    "RequestsPreempted",
    "ServerNotReadyInTime",
)
OBJECTIVES = ("service", "availability", "availability-critical", "availability-warning")
WATCHED = (*(f"alerts-{name}" for name in ALERTS), *(f"objectives-{name}" for name in OBJECTIVES))


def door(exposure: str) -> tuple[str, ...]:
    """Returns the parts of a load balancer with this exposure."""
    return tuple(f"gateway-{part}-{exposure}" for part in ("address", "gateway", "route"))


def papers(hostname: str) -> tuple[str, ...]:
    """Returns the parts of a hostname's certificate."""
    return tuple(f"certificate-{part}-{hostname_digest(hostname)}" for part in ("proof", "issued"))


def other_pool(name: str) -> dict[str, str]:
    """Returns the steps for a node pool with a new name: the new pool is created before the old one is
    deleted."""
    return {f"slices-{name}": "create", POOL: "delete"}


def all_of(names: tuple[str, ...], what: str) -> dict[str, str]:
    """Returns the same step for several resources."""
    return dict.fromkeys(names, what)


def way(kind: str, **more: Any) -> dict[str, Any]:
    """Returns a target with another provisioning model."""
    return {"target.capacity": {"kind": kind, **more}}


def cluster(**more: Any) -> dict[str, Any]:
    """Returns a target with another cluster configuration."""
    return {"target.cluster": {"kind": "new", **more}}


def endpoint(hostname: str, **more: Any) -> dict[str, Any]:
    """Returns a target with another load balancer."""
    return {"target.endpoint": {"hostname": hostname, **more}}


LADDER = [{"kind": "spot"}, {"kind": "on-demand"}]
LAUNCH = {"name": "launch", "start": "2026-12-01T00:00:00Z", "end": "2026-12-08T00:00:00Z"}
NEXT_IMAGE = f"vllm/vllm-tpu:v0.33.0@sha256:{'1' * 64}"


def answering(planned: Sequence[Mapping[str, Any]], before: Mapping[str, Any]) -> int:
    """Returns how many servers answer while a plan is carried out on a stack with the resources `before`.

    A changed pod template takes out as many servers at a time as the Deployment's strategy says. A node pool
    that goes evicts as many as the disruption budget lets go; GKE does not wait for a budget of none.
    """
    inputs = {name: resource.get("inputs", {}) for name, resource in before.items()}
    inputs |= {
        each["urn"].split("::")[3]: each["newState"]["inputs"] for each in planned if "newState" in each
    }
    servers, was = inputs[SERVER]["spec"], before[SERVER]["inputs"]["spec"]
    lost = [0]
    if servers["template"] != was["template"]:
        lost.append(servers["strategy"]["rollingUpdate"]["maxUnavailable"])
    if steps(planned).get(POOL) == "delete":
        evicted = servers["replicas"] - inputs["vllm-budget"]["spec"]["minAvailable"]
        lost.append(evicted or servers["replicas"])
    return min(servers["replicas"] - max(lost), was["replicas"])


ROWS: tuple[Row, ...] = (
    ("another engine field", {"engine": {"max_num_seqs": 64}}, 0, RELEASE),
    ("another scenario", {"scenario": "interactive"}, 0, RELEASE),
    ("another phase", {"phase": "turbo-stable"}, 0, RELEASE),
    ("another image", {"image": NEXT_IMAGE}, 0, RELEASE),
    ("another revision", {"model_revision": "f" * 40}, 0, {**RELEASE, **WEIGHTS}),
    ("another model", {"model": "gemma-4-e4b-it", "model_revision": "f" * 40}, 0, {**RELEASE, **WEIGHTS}),
    (
        "another slice",
        {"accelerator": "v6e-8", "engine": {"tensor_parallel_size": 8}},
        0,
        {**RELEASE, **other_pool("v6e-8-flex-start-b-b9a9")},
    ),
    (
        "longer requests",
        {"longest_request_seconds": 400},
        0,
        {**RELEASE, "gateway-GCPBackendPolicy": "update"},
    ),
    ("two servers", PAIR, 1, PAIRED),
    ("three servers", {"replicas": 3}, 1, {**PAIRED, "vllm-budget": "update"}),
    ("two servers, another engine field", {**PAIR, "engine": {"max_num_seqs": 64}}, 1, {**PAIRED, **RELEASE}),
    ("a spare slice", {**SPARE, "engine": {"max_num_seqs": 64}}, 1, {POOL: "update", **RELEASE}),
    ("no key", {"authentication": "none"}, 0, {**RELEASE, "api-key-class": "delete"}),
    ("an open model", {"target.hugging_face_token": False}, 1, TOKEN),
    ("as root", {"target.run_as": "root"}, 0, {"tpuserve-staging": "update", "vllm-server": "update"}),
    ("bought as spot", way("spot"), 0, {**PATIENCE, **SHORT_STOP, **other_pool("v6e-4-spot-b-ad04")}),
    ("bought on demand", way("on-demand"), 0, {**PATIENCE, **other_pool("v6e-4-on-demand-b-ad04")}),
    (
        "two servers, bought on demand",
        {**PAIR, **way("on-demand")},
        1,
        {**PATIENCE, **other_pool("v6e-4-on-demand-b-ad04")},
    ),
    (
        "bought in a reservation",
        way("reservation", name="v6e"),
        0,
        {**PATIENCE, **other_pool("v6e-4-reservation-b-b518")},
    ),
    ("nodes of a day", way("flex-start", max_run_hours=24), 0, other_pool("v6e-4-flex-start-b-f63f")),
    ("less patience", way("flex-start", wait_minutes=30), 1, PATIENCE),
    (
        "whatever comes first",
        way("compute-class", rungs=LADDER),
        0,
        {"slices-class": "create", POOL: "delete", "vllm-server": "update", **SHORT_STOP},
    ),
    ("another zone", {"target.zone": "us-east5-a"}, 0, other_pool("v6e-4-flex-start-a-fad2")),
    (
        "two servers, another zone",
        {**PAIR, "target.zone": "us-east5-a"},
        1,
        {"vllm-server": "update", **other_pool("v6e-4-flex-start-a-fad2")},
    ),
    ("another release channel", cluster(release_channel="RAPID"), 1, CLUSTER),
    ("another maintenance window", cluster(window={"recurrence": "FREQ=DAILY"}), 1, CLUSTER),
    ("a time without upgrades", cluster(exclusions=[LAUNCH]), 1, CLUSTER),
    ("a minor version to stay at", cluster(minor_version="1.35"), 1, CLUSTER),
    ("protected", {"target.protect": True}, 1, CLUSTER),
    ("watched", {"monitoring": {"enabled": True}}, 1, all_of((*WATCHED, "dashboard-panels"), "create")),
    (
        "another name",
        endpoint("llm.example.org"),
        1,
        {
            **all_of(papers("llm.example.org"), "create"),
            **all_of(papers(HOST), "delete"),
            **all_of(door("internal")[1:], "update"),
        },
    ),
    (
        "open to the internet",
        endpoint(HOST, exposure="public"),
        1,
        {**all_of(door("public"), "create"), **all_of(door("internal"), "delete")},
    ),
    (
        "no load balancer",
        {"target.endpoint": None},
        1,
        {**all_of((*door("internal"), *papers(HOST), *POLICIES), "delete"), "vllm-traffic": "update"},
    ),
)
