"""Documents about one stack in Kubernetes, as the API server and the server's own pages gave them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from serving.deploy import container_layout

Document = Mapping[str, Any]
"""A Kubernetes object as JSON."""

RELEASE_LABEL = "tpuserve/release"


@dataclass(frozen=True)
class PodPages:
    """Pages of one running pod. None for a page that did not answer."""

    acceptance: Document | None = None
    """The sidecar's verdict (agent/sidecar/verdict.py)."""
    metrics: str = ""
    """Text of the server's and of the sidecar's `/metrics`, one after the other."""


@dataclass(frozen=True)
class Evidence:
    """Everything that a diagnosis reads. Objects are those of the server's namespace, except the nodes."""

    stack: str
    kubectl: str
    """Beginning of a kubectl command for this cluster and namespace, as a user types it."""
    local: bool = False
    """True for the cluster of `make up`, whose node, image and key come from this machine."""
    reached: bool = True
    """False when the API server does not answer, so that there is nothing else to read."""
    deployment: Document | None = None
    pods: Sequence[Document] = ()
    """Pods with the labels of the server."""
    jobs: Sequence[Document] = ()
    """Jobs that copy the weights."""
    job_pods: Sequence[Document] = ()
    events: Sequence[Document] = ()
    nodes: Sequence[Document] = ()
    policies: Sequence[Document] = ()
    """NetworkPolicies."""
    dns_pods: Sequence[Document] = ()
    """Pods of the cluster's name server, where it runs in pods."""
    stopped: Sequence[str] = ()
    """Programs of the local cluster that do not run."""
    pages: Mapping[str, PodPages] = field(default_factory=dict[str, PodPages])
    """By the name of the pod."""
    logs: Mapping[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    """End of a container's log, by the names of pod and container; of the previous container if it was
    restarted."""

    @property
    def servers(self) -> list[Document]:
        """Returns the server's pods that are not being deleted and have not ended, newest first."""
        living = [pod for pod in self.pods if "deletionTimestamp" not in pod["metadata"]]
        living = [pod for pod in living if phase(pod) not in ("Failed", "Succeeded")]
        return sorted(living, key=lambda pod: pod["metadata"].get("creationTimestamp", ""), reverse=True)

    @property
    def ended(self) -> list[Document]:
        """Returns the server's pods that have failed, such as those that the kubelet evicted."""
        return [pod for pod in self.pods if phase(pod) == "Failed"]

    @property
    def leaving(self) -> list[Document]:
        """Returns the server's pods that are being deleted and still hold their slice."""
        return [pod for pod in self.pods if "deletionTimestamp" in pod["metadata"]]

    @property
    def replicas(self) -> int:
        """Returns the number of servers that the Deployment wants."""
        return 0 if self.deployment is None else int(self.deployment["spec"].get("replicas", 1))

    @property
    def ready(self) -> int:
        """Returns the number of servers that get traffic."""
        return sum(is_true(pod, "Ready") for pod in self.servers)

    def about(self, item: Document) -> list[Document]:
        """Returns the events of an object, oldest first."""
        name = item["metadata"]["name"]
        own = [event for event in self.events if event.get("involvedObject", {}).get("name") == name]
        return sorted(own, key=_time)

    def latest(self, item: Document, *reasons: str) -> str | None:
        """Returns the message of an object's latest event with one of these reasons."""
        messages = [event["message"] for event in self.about(item) if event.get("reason") in reasons]
        return messages[-1] if messages else None

    def describe(self, item: Document, kind: str = "pod") -> str:
        """Returns the command that shows an object with its events."""
        return f"run `{self.kubectl} describe {kind} {item['metadata']['name']}`"

    def why_logs(self) -> str:
        """Returns the command that shows the server's log."""
        return f"`make logs STACK={self.stack}`"


def _time(event: Document) -> str:
    """Returns when an event was last seen. Events of events.k8s.io have no lastTimestamp."""
    series: Document = event.get("series") or {}
    times = (event.get("lastTimestamp"), series.get("lastObservedTime"), event.get("eventTime"))
    return next((str(each) for each in times if each), "")


def phase(pod: Document) -> str:
    """Returns the phase of a pod's life."""
    return str(pod.get("status", {}).get("phase", "Pending"))


def condition(item: Document, kind: str) -> Document | None:
    """Returns one condition of an object."""
    conditions: Sequence[Document] = item.get("status", {}).get("conditions") or ()
    return next((each for each in conditions if each["type"] == kind), None)


def is_true(item: Document, kind: str) -> bool:
    """Returns whether an object has a condition with the status True."""
    found = condition(item, kind)
    return found is not None and found["status"] == "True"


def containers(pod: Document) -> Iterator[Document]:
    """Yields the statuses of a pod's containers in the order in which they start: init containers first."""
    status = pod.get("status", {})
    yield from status.get("initContainerStatuses") or ()
    # The server is the first to look at: without it, its sidecar only waits.
    ordinary: Sequence[Document] = status.get("containerStatuses") or ()
    yield from sorted(ordinary, key=lambda each: each["name"] != container_layout.SERVER)


def state(container: Document, name: str) -> Document | None:
    """Returns a container's state of this name (waiting, running, terminated), if it is in it."""
    states: Document = container.get("state") or {}
    return states.get(name)


def end(container: Document) -> Document | None:
    """Returns how a container ended last, if it has ended."""
    before: Document = container.get("lastState") or {}
    return state(container, "terminated") or before.get("terminated")
