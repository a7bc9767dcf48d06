"""Diagnosis of a stack in Kubernetes: the order of its stages, and which of the findings is the cause."""

from dataclasses import replace

from operate.diagnosis import of_cluster
from tests.unit.operate.diagnosis.recorded import (
    EVICTED,
    HEALTHY,
    MATCHES_NONE,
    NO_CHIPS,
    SCALE_UP,
    SECRETS_STORE,
    deployment,
    event,
    pending,
    pod,
    policy,
    running,
)


def test_a_healthy_server_is_called_so() -> None:
    assert of_cluster(HEALTHY)[1] == "The server of staging serves; nothing is wrong."


def test_every_stage_of_a_healthy_server_is_reported_in_order() -> None:
    findings, _ = of_cluster(HEALTHY)
    assert [finding.stage for finding in findings] == [
        *("cluster", "weights", "pods", "node", "scheduling", "containers", "acceptance", "traffic")
    ]
    assert {finding.level for finding in findings} == {"fine"}


def test_a_pod_without_a_node_has_no_finding_about_its_containers() -> None:
    findings, _ = of_cluster(pending(NO_CHIPS))
    assert [finding.stage for finding in findings] == ["cluster", "weights", "pods", "scheduling"]


def test_the_earliest_fault_is_the_cause() -> None:
    """A server without a node cannot be accepted, and its rollout exceeds the deadline."""
    progress = {"type": "Progressing", "status": "False", "message": "has timed out progressing."}
    evidence = replace(pending(MATCHES_NONE, nodes=[]), deployment=deployment(progress))
    findings, sentence = of_cluster(evidence)
    assert [finding.stage for finding in findings if finding.level == "fault"] == ["scheduling", "rollout"]
    assert sentence.startswith("0 of 1 servers of staging serve: pod ")


def test_a_fault_outweighs_an_earlier_warning() -> None:
    evidence = replace(
        HEALTHY,
        pods=[pod(running("vllm"), running("sidecar"), ready=True), EVICTED],
        policies=[policy(ingress=[])],
    )
    findings, sentence = of_cluster(evidence)
    assert [each.level for each in findings if each.level != "fine"] == ["warning", "fault"]
    assert "NetworkPolicy" in sentence


def test_events_of_the_past_are_no_fault() -> None:
    """A server that is ready was unschedulable once, could not mount, and was restarted."""
    once = (
        event("FailedScheduling", MATCHES_NONE),
        event("FailedScaleUp", SCALE_UP.format("quota exceeded")),
        event("FailedMount", SECRETS_STORE),
        event("Killing", "Container vllm failed startup probe, will be restarted"),
    )
    restarted = {**running("vllm"), "restartCount": 1, "lastState": {"terminated": {"exitCode": 137}}}
    evidence = replace(HEALTHY, pods=[pod(restarted, running("sidecar"), ready=True)], events=list(once))
    assert of_cluster(evidence)[1] == "The server of staging serves; nothing is wrong."
