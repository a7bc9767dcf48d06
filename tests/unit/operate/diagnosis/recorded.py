"""Kubernetes objects of a healthy stack of one server, as `kubectl get -o json` shows them.

Messages of faults have the wording of Kubernetes 1.34: pkg/kubelet/images/image_manager.go,
kuberuntime_manager.go, prober.go and eviction/helpers.go, pkg/scheduler/framework/types.go, and the
controllers of Deployments, Jobs and nodes.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from operate.diagnosis import of_cluster
from operate.diagnosis.evidence import Evidence, PodPages

POD, NODE, IMAGE = "vllm-7c9d8b6f5-x2x9k", "gke-staging-ct6e-1", "registry/vllm-tpu@sha256:0b"
LABELS = {
    "app.kubernetes.io/name": "vllm",
    "app.kubernetes.io/managed-by": "tpuserve",
    "tpuserve/release": "ab12cd34",
}
SELECTOR = {
    "cloud.google.com/gke-tpu-accelerator": "tpu-v6e-slice",
    "cloud.google.com/gke-tpu-topology": "2x2",
}
BEGAN = "2026-11-01T10:00:00Z"

Change = Callable[[Evidence], Evidence]


def running(name: str, *, ready: bool = True, started: bool = True) -> dict[str, Any]:
    """Returns the status of a container that runs."""
    return {
        "name": name,
        "image": IMAGE,
        "ready": ready,
        "started": started,
        "restartCount": 0,
        "state": {"running": {"startedAt": BEGAN}},
    }


def waiting(name: str, reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    """Returns the status of a container that waits."""
    state = {"reason": reason, **({"message": message} if message else {})}
    return {
        "name": name,
        "image": IMAGE,
        "ready": False,
        "started": False,
        "restartCount": 0,
        "state": {"waiting": state},
        **more,
    }


def ended(name: str, code: int, reason: str, message: str = "", restarts: int = 3) -> dict[str, Any]:
    """Returns the status of a container that the kubelet starts again after its end."""
    last = {"exitCode": code, "reason": reason, "finishedAt": BEGAN}
    back_off = f"back-off 40s restarting failed container={name} pod={POD}_tpuserve-staging(0f)"
    more = {"lastState": {"terminated": {**last, **({"message": message} if message else {})}}}
    return waiting(name, "CrashLoopBackOff", back_off, **{**more, "restartCount": restarts})


RESTORED = {
    "name": "restore-cache",
    "ready": True,
    "restartCount": 0,
    "state": {"terminated": {"exitCode": 0, "reason": "Completed"}},
}


def pod(
    *statuses: dict[str, Any],
    node: str | None = NODE,
    ready: bool = False,
    unscheduled: str | None = None,
    init: dict[str, Any] = RESTORED,
    selector: dict[str, str] = SELECTOR,
) -> dict[str, Any]:
    """Returns a server's pod with these container statuses."""
    conditions: list[dict[str, Any]] = [{"type": "Ready", "status": str(ready)}]
    if unscheduled is not None:
        conditions.append(
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": unscheduled}
        )
    limits = {"limits": {"memory": "48Gi", "google.com/tpu": "4"}}
    return {
        "metadata": {"name": POD, "labels": LABELS, "creationTimestamp": BEGAN},
        "spec": {
            **({"nodeName": node} if node else {}),
            "nodeSelector": selector,
            "tolerations": [
                {"key": "google.com/tpu", "operator": "Equal", "value": "present", "effect": "NoSchedule"},
                {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"},
            ],
            "initContainers": [{"name": "restore-cache", "resources": {"limits": {"memory": "2Gi"}}}],
            "containers": [{"name": "vllm", "resources": limits}, {"name": "sidecar"}],
        },
        "status": {
            "phase": "Running" if statuses and "running" in statuses[0]["state"] else "Pending",
            "conditions": conditions,
            "initContainerStatuses": [init] if node else [],
            "containerStatuses": list(statuses),
        },
    }


def creating() -> list[dict[str, Any]]:
    """Returns the statuses of a pod whose volumes are not mounted."""
    return [waiting("vllm", "PodInitializing"), waiting("sidecar", "PodInitializing")]


UNINITIALIZED = waiting("restore-cache", "PodInitializing")


def event(reason: str, message: str, name: str = POD, at: str = BEGAN) -> dict[str, Any]:
    """Returns an event about a pod."""
    return {
        "involvedObject": {"kind": "Pod", "name": name},
        "reason": reason,
        "message": message,
        "lastTimestamp": at,
    }


def node(
    labels: dict[str, str] = SELECTOR,
    *,
    ready: str = "True",
    message: str = "kubelet is posting ready status",
    taints: tuple[tuple[str, str, str], ...] = (),
) -> dict[str, Any]:
    """Returns a TPU node with GKE's own taint and others: key, value, effect."""
    every = [("google.com/tpu", "present", "NoSchedule"), *taints]
    return {
        "metadata": {"name": NODE, "labels": labels},
        "spec": {"taints": [{"key": key, "value": value, "effect": effect} for key, value, effect in every]},
        "status": {"conditions": [{"type": "Ready", "status": ready, "message": message}]},
    }


def deployment(*conditions: dict[str, Any], replicas: int = 1) -> dict[str, Any]:
    """Returns the server's Deployment."""
    return {
        "metadata": {"name": "vllm"},
        "spec": {"replicas": replicas, "progressDeadlineSeconds": 3215},
        "status": {"conditions": list(conditions)},
    }


def policy(**rules: Any) -> dict[str, Any]:
    """Returns the server's NetworkPolicy."""
    select = {"matchLabels": {name: LABELS[name] for name in list(LABELS)[:2]}}
    both = {"ingress": [{"ports": [{"port": 8000}, {"port": 8001}]}], "egress": [{"ports": [{"port": 443}]}]}
    spec = {"podSelector": select, "policyTypes": ["Ingress", "Egress"], **both, **rules}
    return {"metadata": {"name": "vllm"}, "spec": spec}


def job(*conditions: dict[str, Any], failed: int = 0) -> dict[str, Any]:
    """Returns the Job that copies the weights."""
    return {
        "metadata": {"name": "weights-1f2e3d4c"},
        "spec": {},
        "status": {"conditions": list(conditions), "failed": failed},
    }


def job_pod(*statuses: dict[str, Any], name: str = "weights-1f2e3d4c-9pqrs") -> dict[str, Any]:
    """Returns a pod of that Job."""
    return {
        "metadata": {"name": name, "labels": {"job-name": "weights-1f2e3d4c"}},
        "spec": {"nodeName": "system-1", "containers": [{"name": "stage"}]},
        "status": {"phase": "Pending", "containerStatuses": list(statuses)},
    }


def verdict(state: str, sentence: str, *checks: dict[str, Any]) -> dict[str, Any]:
    """Returns the sidecar's page /acceptance."""
    return {"release": "ab12cd34", "state": state, "sentence": sentence, "checks": list(checks)}


METRICS = """\
# HELP vllm:num_requests_waiting Number of requests waiting to be processed.
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{model_name="gemma"} 0.0
# TYPE tpuserve_compile_cache_restore gauge
tpuserve_compile_cache_restore{result="restored"} 1.0
"""
ACCEPTED = verdict("accepted", "Release ab12cd34 is accepted: 12 checks passed.")

HEALTHY = Evidence(
    stack="staging",
    kubectl="kubectl -n tpuserve-staging",
    deployment=deployment({"type": "Progressing", "status": "True"}),
    pods=[pod(running("vllm"), running("sidecar"), ready=True)],
    jobs=[job({"type": "Complete", "status": "True"})],
    nodes=[node()],
    policies=[policy()],
    pages={POD: PodPages(ACCEPTED, METRICS)},
)


def with_pod(
    *statuses: dict[str, Any], events: tuple[dict[str, Any], ...] = (), **pod_options: Any
) -> Evidence:
    """Returns the evidence of a stack whose only pod has these statuses and events."""
    return replace(HEALTHY, pods=[pod(*statuses, **pod_options)], events=list(events), pages={})


def with_metrics(text: str) -> Evidence:
    """Returns the evidence of a stack that serves, with more metrics."""
    return replace(HEALTHY, pages={POD: PodPages(ACCEPTED, METRICS + text)})


UNSCHEDULABLE = "preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling."
MATCHES_NONE = (
    f"0/4 nodes are available: 4 node(s) didn't match Pod's node affinity/selector. {UNSCHEDULABLE}"
)
NO_CHIPS = f"0/4 nodes are available: 1 Insufficient google.com/tpu. {UNSCHEDULABLE}"
TAINTED = f"0/4 nodes are available: 4 node(s) had untolerated taint(s). {UNSCHEDULABLE}"
SECRETS_STORE = (
    'MountVolume.SetUp failed for volume "api-key" : rpc error: code = Unknown desc = failed to '
    "mount secrets "
    f"store objects for pod tpuserve-staging/{POD}, err: rpc error: code = Internal desc = rpc error: code = "
    "NotFound desc = Secret [projects/1/secrets/tpuserve-api-key-staging] not found or has no versions."
)
REJECTION = "Release ab12cd34 is rejected by image: HTTP 500: The engine has died."
SCALE_UP = (
    "Node scale up in zones us-east5-b associated with this pod failed: GCE {}. Pod is "
    "at risk of not being scheduled."
)
EVICTED = {
    **pod(),
    "metadata": {**pod()["metadata"], "name": "vllm-7c9d8b6f5-gone1"},
    "status": {
        "phase": "Failed",
        "reason": "Evicted",
        "message": 'Usage of EmptyDir volume "compile-cache" exceeds the limit "50Gi". ',
    },
}


def pending(
    message: str, *events: dict[str, object], nodes: list[dict[str, object]] | None = None
) -> Evidence:
    """Returns a stack whose pod the scheduler cannot place."""
    evidence = with_pod(node=None, unscheduled=message, events=events)
    return evidence if nodes is None else replace(evidence, nodes=nodes)


def refused(message: str) -> Evidence:
    """Returns a stack whose pods the API server refuses to create."""
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
    return replace(HEALTHY, deployment=deployment(failure), pods=[], pages={})


def job_failed(reason: str, last_line: str) -> Evidence:
    """Returns a stack whose weights Job failed, with the end of its log."""
    return replace(
        HEALTHY,
        jobs=[job({"type": "Failed", "status": "True", "message": reason})],
        job_pods=[job_pod()],
        logs={(job_pod()["metadata"]["name"], "stage"): f"a file is copied\n{last_line}\n"},
        pods=[],
        pages={},
    )


def booting(log: str = "") -> Evidence:
    """Returns a stack whose server loads weights."""
    evidence = with_pod(running("vllm", ready=False, started=False), running("sidecar", ready=False))
    return replace(evidence, logs={(POD, "vllm"): log})


def accepting(state: str, sentence: str) -> Evidence:
    """Returns a stack whose server answers and is not accepted."""
    evidence = with_pod(running("vllm", ready=False), running("sidecar", ready=False))
    return replace(evidence, pages={POD: PodPages(verdict(state, sentence))})


def concludes(evidence: Evidence, parts: tuple[str, ...]) -> None:
    """Asserts that the diagnosis ends with one sentence that has these parts."""
    _, sentence = of_cluster(evidence)
    assert "\n" not in sentence and sentence.endswith(".")
    for part in parts:
        assert part in sentence, sentence
