"""Creation and place of the server's pods: one row a fault, and its sentence."""

from dataclasses import replace

import pytest

from operate.diagnosis.evidence import Evidence
from tests.unit.operate.diagnosis.recorded import (
    HEALTHY,
    MATCHES_NONE,
    NO_CHIPS,
    NODE,
    POD,
    SCALE_UP,
    SELECTOR,
    TAINTED,
    concludes,
    deployment,
    event,
    node,
    pending,
    pod,
    refused,
    running,
)

FAULTS: list[tuple[str, Evidence, tuple[str, ...]]] = [
    (
        "no node: taint",
        pending(
            TAINTED,
            nodes=[node(taints=(("node.kubernetes.io/unschedulable", "", "NoSchedule"),))],
        ),
        ("have the taint node.kubernetes.io/unschedulable:NoSchedule", "uncordon"),
    ),
    (
        "no node: interruption",
        pending(
            TAINTED,
            nodes=[node(taints=(("cloud.google.com/impending-node-termination", "", "NoSchedule"),))],
        ),
        ("the taint cloud.google.com/impending-node-termination", "wait: Google is taking the node"),
    ),
    (
        "no node: all chips in use",
        pending(
            NO_CHIPS, event("NotTriggerScaleUp", "pod didn't trigger scale-up: 1 max node group size reached")
        ),
        (
            "chips of all 1 TPU nodes are in use",
            "no capacity",
            "1 max node group size reached",
            "describe nodes",
        ),
    ),
    (
        "no node: scale-up has no capacity",
        pending(MATCHES_NONE, event("FailedScaleUp", SCALE_UP.format("out of resources")), nodes=[]),
        ("Google has no capacity in the zone", "GCE out of resources", "target.zone or target.capacity.kind"),
    ),
    (
        "quota: TPU",
        pending(MATCHES_NONE, event("FailedScaleUp", SCALE_UP.format("quota exceeded")), nodes=[]),
        ("TPU quota is used up", "GCE quota exceeded", "docs/operations.md, step 1"),
    ),
    (
        "quota: of the namespace",
        refused(
            f'pods "{POD}" is forbidden: exceeded quota: team, requested: requests.memory=49Gi, used: '
            "requests.memory=10Gi, limited: requests.memory=50Gi"
        ),
        ("a ResourceQuota of the namespace is used up", "exceeded quota: team", "describe resourcequota"),
    ),
    (
        "a node is being created",
        pending(
            MATCHES_NONE,
            event("FailedScaleUp", SCALE_UP.format("out of resources"), at="2026-11-01T09:00:00Z"),
            event("TriggeredScaleUp", "pod triggered scale-up: [{https://…/gke-ct6e 0->1 (max: 1)}]"),
            nodes=[],
        ),
        ("waits for a node that GKE is creating", "0->1"),
    ),
    (
        "no node has the labels",
        pending(MATCHES_NONE, nodes=[node({"kubernetes.io/os": "linux"})]),
        (
            "no node has cloud.google.com/gke-tpu-accelerator=tpu-v6e-slice",
            "gcloud container node-pools list",
        ),
    ),
    (
        "wrong topology",
        pending(MATCHES_NONE, nodes=[node({**SELECTOR, "cloud.google.com/gke-tpu-topology": "2x4"})]),
        (
            "asks for cloud.google.com/gke-tpu-topology=2x2, and the TPU nodes have 2x4 (topology",
            "set `accelerator` in Pulumi.staging.yaml",
        ),
    ),
    (
        "node not ready",
        replace(
            HEALTHY,
            pods=[pod(running("vllm", ready=False), running("sidecar", ready=False))],
            nodes=[node(ready="Unknown", message="Kubelet stopped posting node status.")],
            pages={},
        ),
        (f"node {NODE} is not ready (Kubelet stopped posting node status)", f"describe node {NODE}"),
    ),
    (
        "node not ready and its new pod unscheduled",
        pending(
            TAINTED,
            nodes=[
                node(
                    ready="False",
                    message="container runtime network not ready: cni plugin not initialized",
                    taints=(("node.kubernetes.io/not-ready", "", "NoSchedule"),),
                )
            ],
        ),
        (f"node {NODE} is not ready (container runtime network not ready",),
    ),
    (
        "Pod Security",
        refused(
            f'pods "{POD}" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot '
            f"!= true (pod or "
            'container "vllm" must set securityContext.runAsNonRoot=true)'
        ),
        ("Pod Security refuses the pod at the namespace's level restricted", "runAsNonRoot != true"),
    ),
    (
        "no Deployment",
        replace(HEALTHY, deployment=None, pods=[], pages={}),
        ("no Deployment", "`pulumi up -s staging`"),
    ),
    (
        "scaled to nothing",
        replace(HEALTHY, deployment=deployment(replicas=0), pods=[], pages={}),
        ("is scaled to 0 replicas",),
    ),
]


@pytest.mark.parametrize(("evidence", "parts"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_a_fault_has_one_sentence_with_its_cause_and_the_next_command(
    evidence: Evidence, parts: tuple[str, ...]
) -> None:
    concludes(evidence, parts)
