"""Diagnosis of a stack in Kubernetes, in the order in which its server's pod meets things."""

from collections.abc import Callable, Sequence

from operate.diagnosis import containers, placement, traffic, weights
from operate.diagnosis.evidence import Evidence
from operate.diagnosis.finding import Finding, conclusion

STAGES: Sequence[Callable[[Evidence], list[Finding]]] = (
    weights.cluster,
    weights.weights,
    placement.creation,
    placement.nodes,
    placement.scheduling,
    containers.start,
    traffic.acceptance,
    containers.boot,
    traffic.rollout,
    traffic.network,
    traffic.traffic,
)


def of_cluster(evidence: Evidence) -> tuple[list[Finding], str]:
    """Returns the findings in order, and the sentence that names the cause and the next command."""
    stages = STAGES if evidence.reached else STAGES[:1]
    findings = [finding for stage in stages for finding in stage(evidence)]
    fine = f"The {evidence.replicas} servers of {evidence.stack} serve; nothing is wrong."
    if evidence.replicas == 1:
        fine = f"The server of {evidence.stack} serves; nothing is wrong."
    sentence = conclusion(findings, fine)
    if sentence == fine or not evidence.replicas:
        return findings, sentence
    return findings, f"{evidence.ready} of {evidence.replicas} servers of {evidence.stack} serve: {sentence}"
