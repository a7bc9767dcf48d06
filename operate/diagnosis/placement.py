"""Creation of the server's pods, and their place: the Deployment, the scheduler and the nodes."""

import re
from collections.abc import Mapping, Sequence

from operate.diagnosis.evidence import Document, Evidence, condition
from operate.diagnosis.finding import Finding, quoted_line

PODS, SCHEDULING, NODE = "pods", "scheduling", "node"
CHIPS = "google.com/tpu"


def creation(evidence: Evidence) -> list[Finding]:
    """Returns why there is no pod: no Deployment, no replicas, or an API server that refuses the pods."""
    deployment, stack = evidence.deployment, evidence.stack
    if deployment is None:
        advice = "run `make up`" if evidence.local else f"run `pulumi up -s {stack}`"
        return [Finding(PODS, "fault", "there is no Deployment of the server", advice)]
    if evidence.replicas == 0:
        cause = f"Deployment {deployment['metadata']['name']} is scaled to 0 replicas"
        return [Finding(PODS, "fault", cause, f"run `pulumi up -s {stack} --refresh`")]
    refused = condition(deployment, "ReplicaFailure")
    if refused is not None and refused["status"] == "True":
        return [_refused(refused["message"], evidence)]
    if not evidence.servers:
        cause = f"Deployment {deployment['metadata']['name']} has no pod yet"
        return [Finding(PODS, "waiting", cause, evidence.describe(deployment, "deployment"))]
    return [
        Finding(PODS, "fine", f"pods of the server: {len(evidence.servers)}, wanted: {evidence.replicas}")
    ]


def _refused(message: str, evidence: Evidence) -> Finding:
    """Returns the finding about pods that the API server refuses to create."""
    said = quoted_line(message)
    if "violates PodSecurity" in message:
        match = re.search(r'violates PodSecurity "([^":]+)', message)
        level = f" {match.group(1)}" if match else ""
        cause = f"Pod Security refuses the pod at the namespace's level{level} ({said})"
        advice = (
            f"run `pulumi up -s {evidence.stack} --refresh`, which sets the namespace's label and the pod's "
            "security context together"
        )
        return Finding(PODS, "fault", cause, advice)
    if "exceeded quota" in message:
        cause = f"a ResourceQuota of the namespace is used up ({said})"
        return Finding(PODS, "fault", cause, f"run `{evidence.kubectl} describe resourcequota`, and raise it")
    return Finding(PODS, "fault", f"the API server refuses the pod ({said})", "change what it names")


def scheduling(evidence: Evidence) -> list[Finding]:
    """Returns a finding for each pod that has no node."""
    found = [_unscheduled(pod, evidence) for pod in evidence.servers if "nodeName" not in pod["spec"]]
    if found or not evidence.servers:
        return found
    return [Finding(SCHEDULING, "fine", "every pod has a node")]


def _unscheduled(pod: Document, evidence: Evidence) -> Finding:
    """Returns why a pod has no node. The autoscaler's reason comes first: a pool of 0 nodes has no other."""
    name = pod["metadata"]["name"]
    scheduled = condition(pod, "PodScheduled")
    said = quoted_line((scheduled or {}).get("message") or "the scheduler has not looked at it yet")
    failed = evidence.latest(pod, "FailedScaleUp")
    if failed is not None and "TriggeredScaleUp" not in _reasons_after(evidence, pod, "FailedScaleUp"):
        return _scale_up(name, failed, evidence)
    if (triggered := evidence.latest(pod, "TriggeredScaleUp")) is not None:
        cause = f"pod {name} waits for a node that GKE is creating ({quoted_line(triggered)})"
        return Finding(SCHEDULING, "waiting", cause, _again(evidence))
    refused = evidence.latest(pod, "NotTriggerScaleUp")
    selector: Mapping[str, str] = pod["spec"].get("nodeSelector", {})
    matching = [node for node in evidence.nodes if selector.items() <= _labels(node).items()]
    if not matching:
        return _no_match(name, selector, said, refused, evidence)
    barred = {taint for node in matching for taint in _untolerated(node, pod)}
    if barred and all(_untolerated(node, pod) for node in matching):
        return _tainted(name, barred, said, evidence)
    if f"Insufficient {CHIPS}" in said:
        return _no_chips(name, len(matching), said, refused, evidence)
    return Finding(SCHEDULING, "fault", f"pod {name} has no node ({said})", evidence.describe(pod))


def _again(evidence: Evidence) -> str:
    return f"run `make why STACK={evidence.stack}` again in minutes"


def _reasons_after(evidence: Evidence, pod: Document, reason: str) -> list[str]:
    """Returns the reasons of a pod's events after the latest one with `reason`."""
    reasons = [str(event.get("reason")) for event in evidence.about(pod)]
    latest = len(reasons) - 1 - reasons[::-1].index(reason)
    return reasons[latest + 1 :]


def _scale_up(name: str, message: str, evidence: Evidence) -> Finding:
    said = quoted_line(message)
    if "quota" in message.lower():
        cause = f"pod {name} has no node, because the project's TPU quota is used up ({said})"
        advice = "request more (docs/operations.md, step 1), or set another target.capacity.kind"
    else:
        cause = f"pod {name} has no node, because Google has no capacity in the zone ({said})"
        advice = (
            "wait, because GKE tries again, or set another target.zone or target.capacity.kind "
            f"(docs/operations.md, Change zone or capacity), and run `pulumi up -s {evidence.stack}`"
        )
    return Finding(SCHEDULING, "fault", cause, advice)


def _no_match(
    name: str, selector: Mapping[str, str], said: str, refused: str | None, evidence: Evidence
) -> Finding:
    """Returns the finding about a selector that no node has, with the first label that differs."""
    because = f"; {quoted_line(refused)}" if refused else ""
    # A node without TPUs has none of the labels. Of the others, the nearest says which label is wrong.
    near = [node for node in evidence.nodes if selector.keys() <= _labels(node).keys()]
    for label, value in selector.items():
        offered = sorted({_labels(node)[label] for node in near if _labels(node)[label] != value})
        if offered:
            cause = (
                f"pod {name} asks for {label}={value}, and the TPU nodes have {', '.join(offered)} "
                f"(topology or accelerator differ; {said})"
            )
            advice = (
                f"run `{evidence.kubectl} get nodes -L {','.join(selector)}`, and set `accelerator` in "
                f"Pulumi.{evidence.stack}.yaml to the slice of the nodes"
            )
            return Finding(SCHEDULING, "fault", cause, advice)
    cause = f"pod {name} has no node, because no node has {_pairs(selector)} ({said}{because})"
    advice = (
        "run `make up`, which labels the node"
        if evidence.local
        else f"run `gcloud container node-pools list` for the cluster, then `pulumi up -s {evidence.stack}`"
    )
    return Finding(SCHEDULING, "fault", cause, advice)


def _tainted(name: str, taints: set[str], said: str, evidence: Evidence) -> Finding:
    listed = ", ".join(sorted(taints))
    cause = f"pod {name} has no node, because the TPU nodes have the taint {listed} ({said})"
    if any(taint.startswith("cloud.google.com/impending-node-termination") for taint in taints):
        advice = "wait: Google is taking the node for maintenance or for spot, and GKE makes another"
    elif any(taint.startswith("node.kubernetes.io/unschedulable") for taint in taints):
        advice = f"run `{evidence.kubectl} uncordon NODE` when its maintenance is over"
    elif any(taint.startswith("node.kubernetes.io/") for taint in taints):
        advice = f"run `{evidence.kubectl} describe nodes`: the taint goes when the node is well"
    else:
        advice = (
            f"run `{evidence.kubectl} describe nodes`, and remove the taint, which this project did not set"
        )
    return Finding(SCHEDULING, "fault", cause, advice)


def _no_chips(name: str, nodes: int, said: str, refused: str | None, evidence: Evidence) -> Finding:
    """Returns the finding about nodes of the right kind whose chips are in use."""
    if evidence.leaving:
        old = evidence.leaving[0]["metadata"]["name"]
        cause = f"pod {name} waits for the chips of pod {old}, which finishes its last requests"
        return Finding(SCHEDULING, "waiting", cause, _again(evidence))
    more = f"; {quoted_line(refused)}" if refused else ""
    cause = (
        f"pod {name} has no node, because the chips of all {nodes} TPU nodes are in use or not offered, and "
        f"there is no capacity for another ({said}{more})"
    )
    advice = (
        f"run `{evidence.kubectl} describe nodes`, which lists who has the chips; `replicas` and "
        "`rollout.surge` need one slice each"
    )
    return Finding(SCHEDULING, "fault", cause, advice)


def nodes(evidence: Evidence) -> list[Finding]:
    """Returns the nodes that are not ready, of those that have a pod of the server or could have one."""
    used = {pod["spec"].get("nodeName") for pod in evidence.servers}
    wanted = [
        pod["spec"].get("nodeSelector", {}) for pod in evidence.servers if "nodeName" not in pod["spec"]
    ]
    found = list[Finding]()
    for node in evidence.nodes:
        name = node["metadata"]["name"]
        ready = condition(node, "Ready")
        concerns = name in used or any(each.items() <= _labels(node).items() for each in wanted)
        if not concerns or ready is None or ready["status"] == "True":
            continue
        why = quoted_line(ready.get("message") or ready.get("reason") or "no reason is given")
        advice = (
            "run `make up`, which starts the node's programs"
            if evidence.local
            else f"run `{evidence.kubectl} describe node {name}`; GKE repairs it after about 10 minutes"
        )
        found.append(Finding(NODE, "fault", f"node {name} is not ready ({why})", advice))
    if found or not used - {None}:
        return found
    known = {node["metadata"]["name"]: node for node in evidence.nodes}
    lost = sorted(name for name in used if name is not None and name not in known)
    if lost and evidence.nodes:
        cause = f"node {lost[0]} of a pod does not exist any more"
        return [Finding(NODE, "waiting", cause, f"run `{evidence.kubectl} get nodes`")]
    return [Finding(NODE, "fine", "the pods' nodes are ready")]


def _labels(node: Document) -> Mapping[str, str]:
    return node["metadata"].get("labels", {})


def _pairs(selector: Mapping[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in selector.items())


def _untolerated(node: Document, pod: Document) -> list[str]:
    """Returns the taints of a node that keep this pod away (Kubernetes' rules of tolerations)."""
    tolerations: Sequence[Document] = pod["spec"].get("tolerations", ())
    taints: Sequence[Document] = node["spec"].get("taints", ())
    return [
        f"{taint['key']}:{taint['effect']}"
        for taint in taints
        if taint["effect"] != "PreferNoSchedule" and not any(_tolerates(each, taint) for each in tolerations)
    ]


def _tolerates(toleration: Document, taint: Document) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in (None, "", taint["key"])
    return toleration.get("key") == taint["key"] and toleration.get("value", "") == taint.get("value", "")
