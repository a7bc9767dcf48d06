"""Nodes of a fake node pool in a real API server, which KWOK keeps alive.

GKE's labels and taint on a TPU node: https://cloud.google.com/kubernetes-engine/docs/how-to/tpus
("cloud.google.com/gke-tpu-accelerator", "cloud.google.com/gke-tpu-topology", `google.com/tpu=present`). KWOK
manages the nodes that carry its annotation: https://kwok.sigs.k8s.io/docs/user/kwok-manage-nodes-and-pods/
"""

import base64
import re
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tools.fake_gcp.checks.values import last

ANNOTATION = {"kwok.x-k8s.io/node": "fake"}
POOL_ID = "tests.tpuserve/pool-id"
CHIPS = {
    "ct6e-standard-1t": (1, "1x1", 44),
    "ct6e-standard-4t": (4, "2x2", 180),
    "ct6e-standard-8t": (8, "2x4", 180),
}
EFFECTS = {"NO_SCHEDULE": "NoSchedule", "PREFER_NO_SCHEDULE": "PreferNoSchedule", "NO_EXECUTE": "NoExecute"}


@dataclass(frozen=True)
class Server:
    """API server of a kubeconfig: `address` is host and port, `authority` its CA in base64."""

    address: str
    authority: str
    certificate: bytes
    key: bytes

    @classmethod
    def of(cls, kubeconfig: str) -> "Server":
        """Read the current context of a kubeconfig that uses a client certificate."""
        file = Path(kubeconfig)
        config = yaml.safe_load(file.read_text(encoding="utf-8"))
        context = next(item for item in config["contexts"] if item["name"] == config["current-context"])[
            "context"
        ]
        cluster = next(item for item in config["clusters"] if item["name"] == context["cluster"])["cluster"]
        user = next(item for item in config["users"] if item["name"] == context["user"])["user"]

        def part(group: dict[str, Any], name: str) -> bytes:
            if f"{name}-data" in group:
                return base64.b64decode(group[f"{name}-data"])
            return (file.parent / group[name]).read_bytes()

        return cls(
            address=cluster["server"].removeprefix("https://"),
            authority=base64.b64encode(part(cluster, "certificate-authority")).decode(),
            certificate=part(user, "client-certificate"),
            key=part(user, "client-key"),
        )

    def client(self) -> httpx.Client:
        """Returns an HTTP client with the kubeconfig's certificate."""
        context = ssl.create_default_context(cadata=base64.b64decode(self.authority).decode())
        with tempfile.NamedTemporaryFile() as pair:
            pair.write(self.certificate + b"\n" + self.key)
            pair.flush()
            context.load_cert_chain(pair.name)
        return httpx.Client(base_url=f"https://{self.address}", verify=context, timeout=120)

    def place(self, entry: dict[str, Any]) -> None:
        """Make the API server's nodes of a pool match the pool's inputs."""
        wanted = {node["metadata"]["name"]: node for node in build(entry)}
        with self.client() as client:
            there = _of_pool(client, entry["id"])
            for name in there - set(wanted):
                _delete(client, name)
            for name, node in wanted.items():
                if name not in there:
                    client.post("/api/v1/nodes", json=node).raise_for_status()
                    continue
                change = {
                    "metadata": {"labels": node["metadata"]["labels"]},
                    "spec": {"taints": node["spec"]["taints"]},
                }
                client.patch(
                    f"/api/v1/nodes/{name}",
                    json=change,
                    headers={"content-type": "application/merge-patch+json"},
                ).raise_for_status()

    def remove(self, pool: str) -> None:
        """Delete a pool's nodes."""
        with self.client() as client:
            for name in _of_pool(client, pool):
                _delete(client, name)


def _delete(client: httpx.Client, node: str) -> None:
    """Delete a node and, at once, its pods, whatever their disruption budget says. GKE drains a node
    first."""
    pods = client.get("/api/v1/pods", params={"fieldSelector": f"spec.nodeName={node}"})
    for pod in pods.raise_for_status().json()["items"]:
        space, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        client.delete(f"/api/v1/namespaces/{space}/pods/{name}", params={"gracePeriodSeconds": "0"})
    client.delete(f"/api/v1/nodes/{node}").raise_for_status()


def _of_pool(client: httpx.Client, pool: str) -> set[str]:
    answer = client.get("/api/v1/nodes")
    answer.raise_for_status()
    return {
        node["metadata"]["name"]
        for node in answer.json()["items"]
        if node["metadata"].get("annotations", {}).get(POOL_ID) == pool
    }


def count(inputs: dict[str, Any]) -> int:
    """Returns the number of nodes that a pool has in each of its zones before any autoscaling."""
    scaling = inputs.get("autoscaling") or {}
    numbers = (inputs.get("nodeCount"), inputs.get("initialNodeCount"), scaling.get("minNodeCount"))
    return int(max(number or 0 for number in numbers))


def build(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the Node objects of a pool, as GKE labels and taints them.

    `entry["scaled"]`, where it is set, is the number of nodes that an autoscaler requested in each zone.
    """
    inputs, config = entry["inputs"], entry["inputs"].get("nodeConfig") or {}
    location = entry["id"].split("/")[3]
    zones = inputs.get("nodeLocations") or [location if re.search(r"-[a-z]$", location) else f"{location}-a"]
    machine = config.get("machineType", "e2-medium")
    found = []
    for zone in zones:
        for index in range(int(entry.get("scaled", count(inputs)))):
            name = f"gke-{last(inputs['cluster'])}-{inputs['name']}-{zone}-{index}"
            found.append(_node(name, zone, machine, config, inputs, entry["id"]))
    return found


def _node(
    name: str, zone: str, machine: str, config: dict[str, Any], inputs: dict[str, Any], pool: str
) -> dict[str, Any]:
    chips, topology, cores = CHIPS.get(machine, (0, "", 0))
    if not chips:
        size = re.search(r"-(\d+)$", machine)
        cores = int(size[1]) if size else 2
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "cloud.google.com/gke-nodepool": inputs["name"],
        "cloud.google.com/machine-family": machine.split("-")[0],
        "node.kubernetes.io/instance-type": machine,
        "topology.kubernetes.io/region": zone.rsplit("-", 1)[0],
        "topology.kubernetes.io/zone": zone,
        **(config.get("labels") or {}),
    }
    taints = [
        {"key": item["key"], "value": item.get("value", ""), "effect": EFFECTS[item["effect"]]}
        for item in config.get("taints") or []
    ]
    capacity = {
        "cpu": str(cores),
        "memory": f"{cores * 4}Gi",
        "ephemeral-storage": f"{config.get('diskSizeGb', 100)}Gi",
        "pods": "110",
    }
    if chips:
        labels |= {
            "cloud.google.com/gke-tpu-accelerator": "tpu-v6e-slice",
            "cloud.google.com/gke-tpu-topology": (inputs.get("placementPolicy") or {}).get(
                "tpuTopology", topology
            ),
            "cloud.google.com/gke-accelerator-count": str(chips),
        }
        if not any(item["key"] == "google.com/tpu" for item in taints):
            taints.append({"key": "google.com/tpu", "value": "present", "effect": "NoSchedule"})
        capacity["google.com/tpu"] = str(chips)
    if config.get("spot"):
        labels["cloud.google.com/gke-spot"] = "true"
    if config.get("flexStart"):
        labels["cloud.google.com/gke-flex-start"] = "true"
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {**ANNOTATION, POOL_ID: pool}},
        "spec": {"taints": taints, "providerID": f"gce://{pool.split('/')[1]}/{zone}/{name}"},
        "status": {"capacity": capacity, "allocatable": capacity},
    }
