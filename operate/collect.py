"""Collection of the documents that a diagnosis of a cluster reads, with kubectl and through one tunnel."""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence

import httpx

from local import cluster
from operate import tunnel
from operate.access import Access
from operate.diagnosis.evidence import Document, Evidence, PodPages, containers, end, state
from serving.deploy import container_layout
from tools.support.progress import Refusal

SERVERS = f"app.kubernetes.io/name={container_layout.SERVER}"
KINDS = "deployments,pods,jobs,events,networkpolicies"
WEIGHTS_LABEL = "job-name"
API_SERVER = "kube-apiserver"
"""Program of the local cluster without which kubectl gets no answer."""
TAIL_LINES = "20"
PAGE_SECONDS = 10.0


def evidence(access: Access, *, local: bool) -> Evidence:
    """Returns what there is to know about a stack. Raises Refusal when its cluster does not answer.

    Nodes and the name server's pods are left out for a user who may read only the namespace.
    """
    stopped = _stopped() if local else ()
    if API_SERVER in stopped:
        return Evidence(access.stack, access.shown, local=True, reached=False, stopped=stopped)
    objects: list[Document] = json.loads(access.kubectl("get", KINDS, "-o", "json"))["items"]
    by_kind: dict[str, list[Document]] = {}
    for item in objects:
        by_kind.setdefault(item["kind"], []).append(item)
    server = [each for each in by_kind.get("Pod", []) if _label(each, "app.kubernetes.io/name") == "vllm"]
    jobs = [each for each in by_kind.get("Job", []) if each["metadata"]["name"].startswith("weights-")]
    deployments = by_kind.get("Deployment", [])
    named = (each for each in deployments if each["metadata"]["name"] == container_layout.SERVER)
    job_pods = [each for each in by_kind.get("Pod", []) if _label(each, WEIGHTS_LABEL).startswith("weights-")]
    return Evidence(
        stack=access.stack,
        kubectl=access.shown,
        local=local,
        deployment=next(named, None),
        pods=server,
        jobs=jobs,
        job_pods=job_pods,
        events=by_kind.get("Event", []),
        policies=by_kind.get("NetworkPolicy", []),
        nodes=_elsewhere(access, "get", "nodes"),
        dns_pods=_elsewhere(access, "get", "pods", "--namespace", "kube-system", "-l", "k8s-app=kube-dns"),
        stopped=stopped,
        pages={each["metadata"]["name"]: pages(access, each) for each in server if _runs(each)},
        logs=dict(_logs(access, [*server, *job_pods])),
    )


def _label(pod: Document, name: str) -> str:
    return str(pod["metadata"].get("labels", {}).get(name, ""))


def _runs(pod: Document) -> bool:
    """Returns whether the sidecar runs, which shows the pages."""
    return any(
        status["name"] == container_layout.SIDECAR and state(status, "running") for status in containers(pod)
    )


def _elsewhere(access: Access, *words: str) -> Sequence[Document]:
    """Returns objects outside of the namespace, none where the user may not read them."""
    try:
        return json.loads(access.kubectl(*words, "-o", "json"))["items"]
    except Refusal:
        return ()


def _stopped() -> list[str]:
    """Returns the programs and services of the local cluster that do not work."""
    status = cluster.status()
    programs = [process.name for process in status.processes if not process.healthy]
    return [*programs, *(name for name, works in status.services.items() if not works)]


def pages(access: Access, pod: Document) -> PodPages:
    """Returns the pages of a pod through a tunnel that no network policy closes."""
    ports = {container_layout.PORT: tunnel.free_port(), container_layout.SIDECAR_PORT: tunnel.free_port()}
    mapped = [f"{here}:{there}" for there, here in ports.items()]
    words = (*access.kubectl_words, "-n", access.namespace, "port-forward")
    command = (*words, "--address", tunnel.LOOPBACK, f"pod/{pod['metadata']['name']}", *mapped)
    try:
        with tunnel.opened(command, [*ports.values()], access.login):
            sidecar = ports[container_layout.SIDECAR_PORT]
            verdict = page(sidecar, "/acceptance")
            metrics = [page(port, "/metrics") for port in ports.values()]
    except Refusal:
        return PodPages()
    with contextlib.suppress(ValueError):
        return PodPages(json.loads(verdict), "\n".join(metrics))
    return PodPages(None, "\n".join(metrics))


def page(port: int, path: str) -> str:
    """Returns the text of a page at a local port; empty when it is not there."""
    with contextlib.suppress(httpx.HTTPError):
        answer = httpx.get(f"http://{tunnel.LOOPBACK}:{port}{path}", timeout=PAGE_SECONDS, trust_env=False)
        return answer.text if answer.is_success else ""
    return ""


def _logs(access: Access, pods: Sequence[Document]) -> Iterator[tuple[tuple[str, str], str]]:
    """Yields the end of the log of each container that is not ready, by pod and container."""
    for pod in pods:
        name = pod["metadata"]["name"]
        for status in containers(pod):
            started: Mapping[str, object] | None = state(status, "running") or end(status)
            if started is None or (status.get("ready") and not status.get("restartCount")):
                continue
            previous = ("--previous",) if status.get("restartCount") and not status.get("ready") else ()
            words = ("logs", name, "-c", status["name"], "--tail", TAIL_LINES)
            with contextlib.suppress(Refusal):
                yield (name, status["name"]), access.kubectl(*words, *previous)
