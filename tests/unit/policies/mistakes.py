"""Recorded plans with one mistake each, for the tests of the policy rules."""

from collections.abc import Callable
from typing import Any

Plan = dict[str, dict[str, Any]]
Change = Callable[[Plan], None]


def put(key: str, path: str, value: Any) -> Change:
    """Set one input of the one resource whose key begins with `key`; a value of None removes it."""

    def change(plan: Plan) -> None:
        (found,) = [name for name in plan if name.startswith(key)]
        node: Any = plan[found]
        *way, last = path.split(".")
        for part in way:
            node = node[int(part)] if part.isdigit() else node[part]
        if value is None:
            del node[last]
        else:
            node[int(last) if last.isdigit() else last] = value

    return change


def add(key: str, inputs: dict[str, Any], **options: Any) -> Change:
    """Put one more resource into the plan."""

    def change(plan: Plan) -> None:
        plan[key] = {"inputs": inputs, "provider": "google", **options}

    return change


def without(key: str) -> Change:
    """Take the resources out whose key begins with `key`."""

    def change(plan: Plan) -> None:
        found = [name for name in plan if name.startswith(key)]
        assert found, key
        for name in found:
            del plan[name]

    return change


def together(*changes: Change) -> Change:
    """Several changes that make one mistake."""

    def change(plan: Plan) -> None:
        for one in changes:
            one(plan)

    return change


SERVER = "kubernetes:apps/v1:Deployment::vllm-server"
CLUSTER = "gcp:container/cluster:Cluster::"
SERVICE = "kubernetes:core/v1:Service::"
BUDGET = "kubernetes:policy/v1:PodDisruptionBudget::"
TRAFFIC = "kubernetes:networking.k8s.io/v1:NetworkPolicy::vllm"
PROJECT_ROLE = "gcp:projects/iAMMember:IAMMember::x"
PUBLIC = "gke-l7-regional-external-managed"
POOL = "gcp:container/nodePool:NodePool::slices-"
CONTAINER = "inputs.spec.template.spec.containers.0"
GATEWAY = "kubernetes:gateway.networking.k8s.io/v1:Gateway::"
BUCKET = "gcp:storage/bucket:Bucket::"
SECRET = "gcp:secretmanager/secret:Secret::hugging-face-token"
ZERO = {"consumeReservationType": "SPECIFIC_RESERVATION", "key": "k", "values": []}


def environment(name: str, value: str) -> Change:
    """One more variable of the server."""

    def change(plan: Plan) -> None:
        plan[SERVER]["inputs"]["spec"]["template"]["spec"]["containers"][0]["env"].append(
            {"name": name, "value": value}
        )

    return change


def keyless(plan: Plan) -> None:
    """The server without its key."""
    container = plan[SERVER]["inputs"]["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [item for item in container["env"] if item["name"] != "TPUSERVE_API_KEY_FILE"]


def parallel(chips: str) -> Change:
    """Another --tensor-parallel-size."""

    def change(plan: Plan) -> None:
        command = plan[SERVER]["inputs"]["spec"]["template"]["spec"]["containers"][0]["command"]
        command[command.index("--tensor-parallel-size") + 1] = chips

    return change


def chips(asked: str, limit: str) -> Change:
    """Another number of chips."""

    def change(plan: Plan) -> None:
        sizes = plan[SERVER]["inputs"]["spec"]["template"]["spec"]["containers"][0]["resources"]
        sizes["requests"]["google.com/tpu"] = asked
        sizes["limits"]["google.com/tpu"] = limit

    return change


TEMPLATE = "gcp:compute/instanceTemplate:InstanceTemplate::"
GROUP = "gcp:compute/instanceGroupManager:InstanceGroupManager::"
HEALING = "inputs.autoHealingPolicies"
ON_SICK = "inputs.instanceLifecyclePolicy.onFailedHealthCheck"

FIREWALL = "gcp:compute/firewall:Firewall::firewall-operators"


def open_without_direction(plan: Plan) -> None:
    """A firewall for everybody, and for the direction that Google takes when none is named."""
    put(FIREWALL, "inputs.sourceRanges.0", "0.0.0.0/0")(plan)
    put(FIREWALL, "inputs.direction", None)(plan)


MACHINES: list[tuple[str, str, Change, str]] = [
    (
        "no-public-address",
        "dev",
        put(TEMPLATE, "inputs.networkInterfaces.0.accessConfigs", [{"networkTier": "PREMIUM"}]),
        "machine-template gives its machines a public address",
    ),
    (
        "no-public-address",
        "dev",
        put(FIREWALL, "inputs.sourceRanges.0", "0.0.0.0/0"),
        "firewall-operators lets 0.0.0.0/0, which is everybody, in",
    ),
    (
        "no-public-address",
        "dev",
        open_without_direction,
        "firewall-operators lets 0.0.0.0/0, which is everybody, in",
    ),
    (
        "no-public-address",
        "dev",
        add("gcp:tpu/v2Vm:V2Vm::vm", {"networkConfig": {"enableExternalIps": True}}),
        "vm gives its machine a public address",
    ),
    (
        "room-for-the-weights",
        "dev",
        put(TEMPLATE, "inputs.disks.1.diskSizeGb", 10),
        "has disks of 40 GB, and weights and image take 72 GB",
    ),
    (
        "accepted-servers",
        "dev",
        put("gcp:compute/healthCheck:HealthCheck::", "inputs.httpHealthCheck.requestPath", "/health"),
        "asks for /health, which a server may answer before it is accepted",
    ),
    ("healed-groups", "dev", put(GROUP, HEALING, None), "does not notice a dead server"),
    (
        "healed-groups",
        "dev",
        put(GROUP, f"{HEALING}.initialDelaySec", 600),
        "checks a machine after 600 s, and its boot may take 3000 s",
    ),
    ("healed-groups", "dev", put(GROUP, ON_SICK, "REPAIR"), "replaces a machine whose boot has failed"),
    ("healed-groups", "dev", put(GROUP, "inputs.waitForInstances", False), "wait for UPDATED"),
    (
        "no-secret-value",
        "dev",
        put(TEMPLATE, "inputs.metadata.token", "hf_" + "a" * 34),
        "has what looks like a secret in metadata.token",
    ),
]

# Rule, stack, mistake, and the sentence that it must give.
MISTAKES: list[tuple[str, str, Change, str]] = [
    *MACHINES,
    (
        "image-by-digest",
        "prod",
        put(SERVER, f"{CONTAINER}.image", "vllm/vllm-tpu:nightly"),
        "runs vllm/vllm-tpu:nightly",
    ),
    (
        "image-by-digest",
        "prod",
        put("kubernetes:batch/v1:Job::", f"{CONTAINER}.image", "python:3"),
        " runs python:3, a tag that can move",
    ),
    ("image-by-digest", "prod", put(SERVER, f"{CONTAINER}.image", "x@sha256:12"), "name it with @sha256"),
    (
        "no-secret-value",
        "prod",
        add("kubernetes:core/v1:Secret::key", {"stringData": {"a": "b"}}),
        "carries a secret value in stringData",
    ),
    (
        "no-secret-value",
        "foundation",
        add("gcp:secretmanager/secretVersion:SecretVersion::v", {"secretData": "x"}),
        "in secretData",
    ),
    ("no-secret-value", "foundation", add("gcp:serviceaccount/key:Key::k", {}), "carries a secret value;"),
    ("no-secret-value", "prod", environment("HF_TOKEN", "x"), "gives HF_TOKEN by value"),
    (
        "no-secret-value",
        "prod",
        put(SERVER, f"{CONTAINER}.command.0", "--api-key=x"),
        "passes a key on the command line",
    ),
    (
        "no-secret-value",
        "prod",
        environment("GREETING", "hf_" + "a" * 34),
        "looks like a secret in spec.template.spec.containers.0.env.",
    ),
    ("whole-slices", "prod", chips("1", "1"), "requests 1 chips of a slice of 2x2"),
    ("whole-slices", "prod", chips("4", "8"), "limits another number"),
    (
        "whole-slices",
        "prod",
        put(SERVER, "inputs.spec.template.spec.nodeSelector", {}),
        "selects no cloud.google.com/gke-tpu-topology",
    ),
    ("whole-slices", "prod", parallel("2"), "requests 4 chips and has --tensor-parallel-size 2"),
    (
        "startup-budget",
        "prod",
        put(SERVER, f"{CONTAINER}.startupProbe.failureThreshold", 30),
        "gives its boot 300 s, which may take",
    ),
    ("startup-budget", "prod", put(SERVER, f"{CONTAINER}.startupProbe", None), "has no startup probe"),
    (
        "startup-budget",
        "prod",
        put(SERVER, "inputs.spec.progressDeadlineSeconds", 600),
        "the rollout must outlast the boot",
    ),
    ("protected-machines", "prod", put(POOL, "protect", False), "is not protected"),
    ("protected-machines", "prod", put(CLUSTER, "protect", False), "is not protected"),
    (
        "protected-machines",
        "prod",
        put(CLUSTER, "inputs.deletionProtection", False),
        "has no deletionProtection",
    ),
    ("protected-data", "foundation", put(BUCKET, "inputs.forceDestroy", True), "has forceDestroy"),
    ("protected-data", "foundation", put(BUCKET, "protect", None), "is not protected"),
    ("protected-data", "foundation", put(SECRET, "protect", None), "is not protected"),
    (
        "no-placement-policy",
        "prod",
        put(POOL, "inputs.placementPolicy", {"type": "COMPACT"}),
        "has a placementPolicy",
    ),
    (
        "explicit-reservation",
        "peak",
        put(POOL, "inputs.nodeConfig.reservationAffinity", None),
        "does not say which reservation",
    ),
    ("explicit-reservation", "prod", put(POOL, "inputs.nodeConfig.reservationAffinity", ZERO), "names none"),
    (
        "explicit-reservation",
        "prod",
        put(POOL, "inputs.nodeConfig.spot", True),
        "mixes a reservation with spot",
    ),
    ("pool-name-states-model", "prod", put(POOL, "inputs.name", "tpu"), "put reservation into its name"),
    ("pool-name-states-model", "peak", put(POOL, "ignoreChanges", []), "does not ignore initialNodeCount"),
    (
        "least-roles",
        "foundation",
        add(PROJECT_ROLE, {"role": "roles/editor", "member": "user:a"}),
        "grants roles/editor",
    ),
    (
        "least-roles",
        "foundation",
        add(PROJECT_ROLE, {"role": "roles/storage.admin", "member": "user:a"}),
        "on the whole project",
    ),
    (
        "least-roles",
        "foundation",
        add(
            "gcp:storage/bucketIAMMember:BucketIAMMember::x",
            {"role": "roles/storage.objectViewer", "member": "allUsers"},
        ),
        "which is everybody",
    ),
    (
        "private-bucket",
        "foundation",
        put(BUCKET, "inputs.publicAccessPrevention", "inherited"),
        "can be made public",
    ),
    ("private-bucket", "foundation", put(BUCKET, "inputs.uniformBucketLevelAccess", None), "single objects"),
    ("labels", "staging", put("pulumi:providers:gcp::", "inputs.defaultLabels", None), "gets no labels"),
    (
        "labels",
        "staging",
        put(POOL, "inputs.nodeConfig.resourceLabels", None),
        "virtual machines without labels",
    ),
    (
        "public-needs-a-key",
        "prod",
        together(put(GATEWAY, "inputs.spec.gatewayClassName", PUBLIC), keyless),
        "is public in front of a server without a key",
    ),
    ("public-needs-a-key", "prod", put(SERVICE, "inputs.spec.type", "LoadBalancer"), "is a LoadBalancer"),
    (
        "public-needs-a-key",
        "prod",
        put(GATEWAY, "inputs.spec.listeners.0.protocol", "HTTP"),
        "listens for HTTP",
    ),
    ("guarded-servers", "prod", without(BUDGET), "has no PodDisruptionBudget"),
    ("guarded-servers", "prod", without(TRAFFIC), "has no NetworkPolicy"),
    (
        "guarded-servers",
        "prod",
        put(BUDGET, "inputs.metadata.namespace", "other"),
        "has no PodDisruptionBudget",
    ),
    (
        "accepted-release",
        "prod",
        put(SERVER, "inputs.metadata.annotations", {"tpuserve/accepted": "false"}),
        "runs a release that no server has accepted, but its stack is protected; name an accepted one with ",
    ),
    (
        "accepted-release",
        "dev",
        together(put(TEMPLATE, "protect", True), put(TEMPLATE, "inputs.metadata.tpuserve-accepted", "false")),
        "runs a release that no server has accepted",
    ),
    ("one-region", "foundation", put(BUCKET, "inputs.location", "EU"), "choose one region"),
    ("one-region", "prod", put(POOL, "inputs.nodeLocations", ["europe-west4-a"]), "is in europe-west4"),
]
