"""One change of staging's configuration in each row, and exactly the resources that it changes."""

from typing import Any

Row = tuple[str, dict[str, Any], dict[str, str]]

POOL = "slices-v6e-4-flex-start-b-b9a9"
RELEASE = {"vllm-server": "replace", "vllm-service": "update"}
NEW_FIRST = "replace, new first"
WEIGHTS = {"weights-script": NEW_FIRST, "weights-job": NEW_FIRST}
# The Deployment's timeout follows the provisioning model; its pods stay as they are.
PATIENCE = {"vllm-server": "update"}
TOKEN = {"hugging-face-token-class": "delete"}
CLUSTER = {"cluster-control-plane": "update"}
POLICIES = ("gateway-GCPBackendPolicy", "gateway-HealthCheckPolicy")
DOOR = ("gateway-address", "gateway-gateway", "gateway-route")
PAPERS = ("certificate-proof", "certificate-issued")


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

ROWS: tuple[Row, ...] = (
    ("another engine field", {"engine": {"max_num_seqs": 64}}, RELEASE),
    ("another scenario", {"scenario": "interactive"}, RELEASE),
    ("another phase", {"phase": "turbo-stable"}, RELEASE),
    ("another image", {"image": NEXT_IMAGE}, {**RELEASE, **WEIGHTS}),
    ("another revision", {"model_revision": "f" * 40}, {**RELEASE, **WEIGHTS}),
    ("another model", {"model": "gemma-4-e4b-it", "model_revision": "f" * 40}, {**RELEASE, **WEIGHTS}),
    (
        "another slice",
        {"accelerator": "v6e-8", "engine": {"tensor_parallel_size": 8}},
        {**RELEASE, **other_pool("v6e-8-flex-start-b-b9a9")},
    ),
    (
        "longer requests",
        {"longest_request_seconds": 400},
        {**RELEASE, "gateway-GCPBackendPolicy": "update"},
    ),
    ("two servers", {"replicas": 2}, {POOL: "update", "vllm-server": "update"}),
    ("three servers", {"replicas": 3}, {POOL: "update", "vllm-server": "update", "vllm-budget": "update"}),
    ("no key", {"authentication": "none"}, {**RELEASE, "api-key-class": "delete"}),
    ("an open model", {"target.hugging_face_token": False}, {"weights-job": "replace"} | TOKEN),
    ("bought as spot", way("spot"), {**PATIENCE, **other_pool("v6e-4-spot-b-ad04")}),
    ("bought on demand", way("on-demand"), {**PATIENCE, **other_pool("v6e-4-on-demand-b-ad04")}),
    (
        "bought in a reservation",
        way("reservation", name="v6e"),
        {**PATIENCE, **other_pool("v6e-4-reservation-b-b518")},
    ),
    ("nodes of a day", way("flex-start", max_run_hours=24), other_pool("v6e-4-flex-start-b-f63f")),
    ("less patience", way("flex-start", wait_minutes=30), PATIENCE),
    (
        "whatever comes first",
        way("compute-class", rungs=LADDER),
        {"slices-class": "create", POOL: "delete", "vllm-server": "update"},
    ),
    ("another zone", {"target.zone": "us-east5-a"}, other_pool("v6e-4-flex-start-a-fad2")),
    ("another release channel", cluster(release_channel="RAPID"), CLUSTER),
    ("another maintenance window", cluster(window={"recurrence": "FREQ=DAILY"}), CLUSTER),
    ("a time without upgrades", cluster(exclusions=[LAUNCH]), CLUSTER),
    ("protected", {"target.protect": True}, CLUSTER),
    (
        "another name",
        endpoint("llm.example.org"),
        {**all_of(PAPERS, NEW_FIRST), "gateway-gateway": "update", "gateway-route": "update"},
    ),
    (
        "open to the internet",
        endpoint("tpuserve-staging.example.org", exposure="public"),
        all_of(DOOR, NEW_FIRST),
    ),
    (
        "no load balancer",
        {"target.endpoint": None},
        {**all_of((*DOOR, *PAPERS, *POLICIES), "delete"), "vllm-traffic": "update"},
    ),
)
