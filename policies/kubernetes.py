"""Rules on objects in a Kubernetes cluster. Each rule yields one sentence for each violation."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from policies.resource import Resource, Unknown, given, strings
from serving.startup.rates import MIN_BUDGET_SECONDS

DEPLOYMENT = "kubernetes:apps/v1:Deployment"
JOB = "kubernetes:batch/v1:Job"
SERVICE = "kubernetes:core/v1:Service"
GATEWAY = "kubernetes:gateway.networking.k8s.io/v1:Gateway"
SECRET_VALUES = {
    "kubernetes:core/v1:Secret": ("data", "stringData"),
    "gcp:secretmanager/secretVersion:SecretVersion": ("secretData",),
    "gcp:serviceaccount/key:Key": ("",),
}

CHIPS = "google.com/tpu"
TOPOLOGY = "cloud.google.com/gke-tpu-topology"
COMPUTE_CLASS = "cloud.google.com/compute-class"

DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
# The local image is built on the machine that runs it. Its tag is a hash of its content.
LOCAL_IMAGE = re.compile(r"^tpuserve\.local/")

SECRET_NAME = re.compile(r"(TOKEN|API_?KEY|SECRET|PASSWORD|CREDENTIALS?)$", re.IGNORECASE)
SECRET_TEXT = re.compile(
    r"hf_[A-Za-z0-9]{30,}"  # Hugging Face
    r"|AIza[0-9A-Za-z_-]{35}|ya29\.[0-9A-Za-z_-]{20,}"  # Google: API key, access token
    r"|sk-[A-Za-z0-9_-]{20,}"  # OpenAI, and servers that imitate its keys
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)


def image_by_digest(resource: Resource) -> Iterator[str]:
    """Yields a sentence for an image without a digest, because a tag can move to a different image."""
    for container in _containers(resource):
        image = container.get("image")
        if isinstance(image, Unknown):
            continue
        if not image or not (DIGEST.search(image) or LOCAL_IMAGE.match(image)):
            yield f"runs {image}, a tag that can move to a different image; name it with @sha256:…"


def no_secret_value(resource: Resource) -> Iterator[str]:
    """Yields a sentence for an input that holds a secret's value, which the state would store.

    The sentence never repeats the value.
    """
    for path, text in strings(resource.inputs):
        if SECRET_TEXT.search(text):
            yield f"has what looks like a secret in {path}; remove it, and replace the secret, now exposed"
    for key in SECRET_VALUES.get(resource.kind, ()):
        if not key or given(resource.at(key)):
            yield f"carries a secret value{f' in {key}' if key else ''}; set the value outside of Pulumi"
    for container in _containers(resource):
        for variable in container.get("env") or ():
            if SECRET_NAME.search(str(variable.get("name"))) and given(variable.get("value")):
                yield f"gives {variable['name']} by value; mount it as a file and give its path"
        for word in (*(container.get("command") or ()), *(container.get("args") or ())):
            if str(word).startswith("--api-key"):
                yield "passes a key on the command line, which every process can read; mount it as a file"


def whole_slices(resource: Resource) -> Iterator[str]:
    """Yields a sentence for a container that does not use a whole slice.

    Requested chips, chips of the selected slice and --tensor-parallel-size have to be equal. GKE schedules no
    other number, and the server uses no other number.
    """
    for container in _containers(resource):
        resources = container.get("resources") or {}
        chips = (resources.get("requests") or {}).get(CHIPS)
        if chips is None:
            continue
        if chips != (resources.get("limits") or {}).get(CHIPS):
            yield f"requests {chips} chips and limits another number; make both the same"
        topology = _selector(resource, TOPOLOGY)
        if topology is None and _selector(resource, COMPUTE_CLASS) is None:
            yield f"requests chips and selects no {TOPOLOGY}; select the slice"
        elif topology is not None and math.prod(int(side) for side in topology.split("x")) != int(chips):
            yield f"requests {chips} chips of a slice of {topology}; request all of them"
        parallel = _flag(container, "--tensor-parallel-size")
        if parallel is not None and parallel != chips:
            yield f"requests {chips} chips and has --tensor-parallel-size {parallel}; make them the same"


def startup_budget(resource: Resource) -> Iterator[str]:
    """Yields a sentence for a boot that gets less time than it may take.

    A startup probe that fails before the server can be ready ends every healthy boot, again and again.
    """
    if resource.kind != DEPLOYMENT:
        return
    for container in _containers(resource):
        if CHIPS not in ((container.get("resources") or {}).get("limits") or {}):
            continue
        probe = container.get("startupProbe")
        if not probe:
            yield "has no startup probe, so the liveness probe ends its first boot; add one"
            continue
        budget = int(probe.get("periodSeconds", 10)) * int(probe.get("failureThreshold", 3))
        environment = {item.get("name"): item.get("value") for item in container.get("env") or ()}
        estimate = int(environment.get("VLLM_ENGINE_READY_TIMEOUT_S") or MIN_BUDGET_SECONDS)
        if budget < max(estimate, MIN_BUDGET_SECONDS):
            yield (
                f"gives its boot {budget} s, which may take {max(estimate, MIN_BUDGET_SECONDS)} s; "
                "raise failureThreshold"
            )
        deadline = int(resource.at("spec.progressDeadlineSeconds") or 600)
        if deadline <= budget:
            yield (
                f"gives its boot {budget} s and its rollout {deadline} s, but the rollout must outlast the "
                "boot; raise progressDeadlineSeconds"
            )


def public_needs_a_key(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    """Yields public servers without an API key, and Services that expose one without a Gateway.

    Publicly reachable servers require an API key, and only a Gateway may expose one.
    """
    servers = [resource for resource in resources if resource.kind == DEPLOYMENT]
    key_required = all(
        any(item.get("name") == "TPUSERVE_API_KEY_FILE" for item in container.get("env") or ())
        for server in servers
        for container in _containers(server)
        if CHIPS in ((container.get("resources") or {}).get("limits") or {})
    )
    for resource in resources:
        if resource.kind == SERVICE and resource.at("spec.type") in ("LoadBalancer", "NodePort"):
            yield resource, f"is a {resource.at('spec.type')}, which has no TLS; use target.endpoint"
        if resource.kind == GATEWAY:
            if "external" in str(resource.at("spec.gatewayClassName")) and not key_required:
                yield resource, "is public in front of a server without a key; set authentication to api-key"
            for listener in resource.each("spec.listeners"):
                if listener.get("protocol") != "HTTPS":
                    yield resource, f"listens for {listener.get('protocol')}; have only HTTPS listeners"


def guarded_servers(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    """Yields servers without a disruption budget, or without a network policy for both directions.

    Servers without inputs are skipped: with `--target`, the CLI shows the ones that it does not create so.
    """
    for server in resources:
        if server.kind != DEPLOYMENT or not server.inputs:
            continue
        namespace = server.at("metadata.namespace")
        pod_labels = server.at("spec.template.metadata.labels") or {}

        def covers(
            resource: Resource, path: str, namespace: Any = namespace, pod_labels: Any = pod_labels
        ) -> bool:
            selector = resource.at(path) or {}
            return resource.at("metadata.namespace") == namespace and selector.items() <= pod_labels.items()

        budgets = [
            item
            for item in resources
            if item.kind == "kubernetes:policy/v1:PodDisruptionBudget"
            and covers(item, "spec.selector.matchLabels")
        ]
        traffic = [
            item
            for item in resources
            if item.kind == "kubernetes:networking.k8s.io/v1:NetworkPolicy"
            and covers(item, "spec.podSelector.matchLabels")
        ]
        if not budgets:
            yield server, "has no PodDisruptionBudget: an upgrade may evict all pods at once; add one"
        if {"Ingress", "Egress"} - {kind for item in traffic for kind in item.each("spec.policyTypes")}:
            yield server, "has no NetworkPolicy for both directions; add one"


def _containers(resource: Resource) -> list[Mapping[str, Any]]:
    """Returns all containers of a workload's pods."""
    pod = "spec" if resource.kind == "kubernetes:core/v1:Pod" else "spec.template.spec"
    return [*resource.each(f"{pod}.initContainers"), *resource.each(f"{pod}.containers")]


def _selector(resource: Resource, label: str) -> str | None:
    value = (resource.at("spec.template.spec.nodeSelector") or {}).get(label)
    return str(value) if value is not None else None


def _flag(container: Mapping[str, Any], name: str) -> str | None:
    words = [str(word) for word in (*(container.get("command") or ()), *(container.get("args") or ()))]
    for index, word in enumerate(words):
        if word == name and index + 1 < len(words):
            return words[index + 1]
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return None
