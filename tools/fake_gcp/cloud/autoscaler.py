"""GKE's cluster autoscaler for TPU pods, on the fake Google Cloud and its real API server.

A pod that waits for chips gets a node from the first pool whose nodes it fits and that may still grow. A pod
that selects a ComputeClass gets a node of the class's first priority, in a pool that GKE creates itself. GKE
also adds a taint to such nodes and a toleration to their pods by a webhook; both are missing here.
https://cloud.google.com/kubernetes-engine/docs/concepts/about-custom-compute-classes
"""

import threading
from typing import Any, Self

from tools.fake_gcp.cloud.console import Console
from tools.fake_gcp.cloud.gke import POOL
from tools.fake_gcp.kubernetes import nodes
from tools.fake_gcp.kubernetes.control_plane import ControlPlane

PERIOD_SECONDS = 0.5
CHIPS = "google.com/tpu"
CLASS = "cloud.google.com/compute-class"


class Autoscaler:
    """Autoscaler that runs during the block; clear `enabled` for a time in which Google has no capacity."""

    def __init__(self, plane: ControlPlane, console: Console) -> None:
        self.plane = plane
        self.console = console
        self.enabled = True
        self.failure: Exception | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="autoscaler", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(30)
        assert self.failure is None, self.failure

    def _run(self) -> None:
        while not self._over.wait(PERIOD_SECONDS):
            try:
                if self.enabled:
                    self.step()
            except Exception as error:
                self.failure = error
                return

    def step(self) -> None:
        """Add one node for one waiting pod, if a pool fits."""
        with nodes.Server.of(str(self.plane.kubeconfig)).client() as client:
            pods = client.get("/api/v1/pods?fieldSelector=status.phase=Pending").json()["items"]
            for pod in filter(_waits, pods):
                wanted = pod["spec"].get("nodeSelector", {})
                if CLASS in wanted:
                    answer = client.get(f"/apis/cloud.google.com/v1/computeclasses/{wanted[CLASS]}")
                    if answer.status_code == 200:
                        client.post("/api/v1/nodes", json=_of_class(answer.json())).raise_for_status()
                        return
                for entry in self.console.objects().values():
                    if entry["token"] == POOL and _fits(entry, wanted) and self._grow(entry):
                        return

    def _grow(self, entry: dict[str, Any]) -> bool:
        there = int(entry.get("scaled", nodes.count(entry["inputs"])))
        most = int((entry["inputs"].get("autoscaling") or {}).get("maxNodeCount", 0))
        if there < most:
            self.console.scale(entry["id"], there + 1)
            nodes.Server.of(str(self.plane.kubeconfig)).place(self.console.find(entry["id"]))
        return there < most


def _waits(pod: dict[str, Any]) -> bool:
    """Returns whether the scheduler has reported that no node has the chips that a pod requests."""
    chips = any(CHIPS in (each["resources"].get("limits") or {}) for each in pod["spec"]["containers"])
    reasons = [each.get("reason") for each in pod["status"].get("conditions", [])]
    return chips and "Unschedulable" in reasons and "nodeName" not in pod["spec"]


def _fits(entry: dict[str, Any], wanted: dict[str, str]) -> bool:
    """Returns whether a pool's nodes would have the labels that a pod selects."""
    [node, *_] = nodes.build({**entry, "scaled": 1})
    return wanted.items() <= node["metadata"]["labels"].items()


def _of_class(made: dict[str, Any]) -> dict[str, Any]:
    """Returns the node that a ComputeClass's first priority describes."""
    name, first = made["metadata"]["name"], made["spec"]["priorities"][0]
    [zone] = first["location"]["zones"]
    pool = f"projects/p/locations/{zone}/clusters/auto/nodePools/nap-{name}"
    config = {"machineType": first["machineType"], "labels": {CLASS: name}, "spot": first["spot"]}
    inputs = {"cluster": "auto", "name": f"nap-{name}", "nodeLocations": [zone], "nodeConfig": config}
    [node] = nodes.build({"id": pool, "inputs": inputs, "scaled": 1})
    return node


def take_back(plane: ControlPlane, name: str) -> None:
    """Remove the nodes that were created for the ComputeClass `name`, as GKE does once nothing needs them."""
    plane.kubectl("delete", "nodes", "-l", f"{CLASS}={name}", "--ignore-not-found", "--wait=false")
