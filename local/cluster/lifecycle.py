"""`start`, `stop` and `clean`: each brings the machine from any state to the one that it names."""

import datetime
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local.cluster import (
    bucket,
    cleanup,
    constants,
    control_plane,
    images,
    kubeconfigs,
    network,
    node,
    pki,
    preflight,
    processes,
    system_manifests,
)
from local.cluster.api import Api, Failed
from local.cluster.health import SERVICES
from tools import toolchain
from tools.support import paths
from tools.support.progress import Refusal, exclusive, say, step

PROGRAMS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "coredns",
    "kube-network-policies",
    "bucket",
    "containerd",
    "ctr",
    "runc",
    "cni",
    "nft",
    "iptables",
)
READY_SECONDS = 120.0
HANGING_SECONDS = 45.0
# Longest wait in seconds for the pods of a node that stops, whatever grace period they ask for.
DRAIN_SECONDS = 60
DRAIN_SLACK_SECONDS = 10
POLL_SECONDS = 0.25
LOCK = "cluster"
# Daemons in the order in which they are stopped: each stops before the daemons that it uses.
STOP_ORDER = (
    "kubelet",
    "kube-proxy",
    "kube-scheduler",
    "kube-controller-manager",
    "kube-apiserver",
    "etcd",
    "containerd",
    "bucket",
)


def start(environment: Path | None = None) -> None:
    """Start the cluster: node ready, all slices' TPU chips offered, DNS, NetworkPolicies and bucket working.

    `environment` is mounted read-only at /opt/vllm in every container that starts after this call; None
    mounts nothing. Idempotent: repairs whatever died or was killed half-way. Raises Refusal.
    """
    preflight.check_machine()
    preflight.check_room()
    toolchain.ensure(*PROGRAMS)
    preflight.check_kernel()
    if environment is not None and not environment.is_dir():
        raise Refusal(f"The server's Python environment {environment} does not exist: build it first.")
    with exclusive(LOCK), step("local cluster"):
        preflight.check_other_instance()
        preflight.check_foreign()
        _start(environment)


def _start(environment: Path | None) -> None:
    constants.runtime().mkdir(parents=True, exist_ok=True)
    constants.runtime().chmod(0o700)
    (paths.node_data() / "models").mkdir(parents=True, exist_ok=True)
    has_state = Path(control_plane.etcd_data(), "member").exists()
    pki.ensure()
    kubeconfigs.ensure(has_state=has_state)
    if network.ensure() and cleanup.containers_run():
        cleanup.kill_containers()  # their links were deleted with the old bridge
    cleanup.remove_stale_addresses()
    network.ensure_passage()
    network.ensure_policy_queue()

    store, runtime, api = control_plane.etcd(), node.containerd(environment), control_plane.apiserver()
    objects = bucket.daemon()
    for daemon in (store, runtime, objects):
        processes.launch(daemon)
    processes.await_healthy(store)
    processes.launch(api)
    processes.await_healthy(runtime)
    images.ensure_program_images()
    processes.await_healthy(api)
    cleanup.ensure_cgroups()
    cleanup.note_kernel_settings()
    proxy = node.kube_proxy()
    followers = (control_plane.controller_manager(), control_plane.scheduler(), node.kubelet(), proxy)
    try:
        for daemon in followers:
            processes.launch(daemon)
        with Api() as connection:
            system_manifests.apply(connection)
            for daemon in (*followers, objects):
                processes.await_healthy(daemon)
            await_until("the node is ready", lambda: node_ready(connection))
            if tpu_chips(connection) != constants.TPU_CHIPS:
                connection.patch_capacity(constants.TPU_RESOURCE, constants.TPU_CHIPS)
            _renew_system_pods(connection)
            _await_services(connection, proxy)
    finally:
        cleanup.restore_kernel_settings()


def await_until(what: str, holds: Callable[[], bool], seconds: float = READY_SECONDS) -> None:
    """Poll until `holds` returns true. Raises Refusal, which names `what`, after `seconds`."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise Refusal(
                f"The local cluster runs, but after {seconds:.0f} s this is still not true: {what}. See "
                "`python -m local.cluster logs kubelet`."
            )
        time.sleep(POLL_SECONDS)


def _node(api: Api) -> dict[str, Any]:
    try:
        return api.get(f"/api/v1/nodes/{constants.NODE}") or {}
    except Failed:
        return {}


def node_ready(api: Api) -> bool:
    """Returns whether the kubelet has reported, since it was started, that the node can take pods."""
    kubelet = processes.daemons().get("kubelet")
    if kubelet is None:
        return False
    began = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=kubelet.uptime_seconds + 1)
    return any(
        condition["type"] == "Ready"
        and condition["status"] == "True"
        and datetime.datetime.fromisoformat(condition["lastHeartbeatTime"]) >= began
        for condition in _node(api).get("status", {}).get("conditions", [])
    )


def tpu_chips(api: Api) -> int:
    """Returns how many TPU chips the node offers."""
    return int(_node(api).get("status", {}).get("allocatable", {}).get(constants.TPU_RESOURCE, 0))


def _renew_system_pods(api: Api) -> None:
    """Replace the system pods after the CA changed: a pod trusts the CA that it started with."""
    ours = [pod for pod in _pods(api) if _is_system(pod)]
    created = [datetime.datetime.fromisoformat(pod["metadata"]["creationTimestamp"]) for pod in ours]
    if not created or min(created) >= pki.trusted_since().replace(microsecond=0):
        return
    handed_out = f"/api/v1/namespaces/{system_manifests.SYSTEM}/configmaps/kube-root-ca.crt"
    authority = pki.certificate("ca").read_text()
    await_until(
        "the controller manager hands out the new CA",
        lambda: (api.get(handed_out) or {}).get("data", {}).get("ca.crt") == authority,
    )
    _delete_system_pods(api)


def _delete_system_pods(api: Api) -> None:
    """Delete the cluster's own pods and wait until they are gone, so that only their replacements can
    answer."""
    old = {pod["metadata"]["uid"]: pod["metadata"]["name"] for pod in _pods(api) if _is_system(pod)}
    for name in old.values():
        api.delete_pod(system_manifests.SYSTEM, name, 1)
    await_until(
        "the cluster's own pods end when they are deleted",
        lambda: old.keys().isdisjoint(pod["metadata"]["uid"] for pod in _pods(api)),
    )


def _await_services(api: Api, proxy: processes.Daemon) -> None:
    """Wait for the services in pods; when they hang, recreate the pods and the rules that lead to them
    once."""
    deadline = time.monotonic() + HANGING_SECONDS
    while not all(answers() for answers in SERVICES.values()):
        if time.monotonic() > deadline:
            say(f"   no answer from the cluster's own pods for {HANGING_SECONDS:.0f} s, recreating them")
            _delete_system_pods(api)
            processes.stop(processes.daemons()[proxy.name])
            processes.launch(proxy)
            break
        time.sleep(POLL_SECONDS)
    for service, answers in SERVICES.items():
        await_until(f"{service} answers in the cluster", answers)


def _pods(api: Api) -> list[dict[str, Any]]:
    """Returns the node's pods that run or are about to run."""
    items = api.get(f"/api/v1/pods?fieldSelector=spec.nodeName%3D{constants.NODE}")["items"]
    return [pod for pod in items if pod["status"].get("phase") not in ("Succeeded", "Failed")]


def _is_system(pod: dict[str, Any]) -> bool:
    return pod["metadata"]["namespace"] == system_manifests.SYSTEM


def stop() -> None:
    """Stop the cluster: pods gracefully, then the processes. Nothing of it is left in the kernel.

    etcd's data, images, keys and the bucket's objects are kept, so that `start` continues from there. Pods
    get the grace period that they ask for, 60 s at most; the next start recreates the pods of controllers.
    Idempotent.
    """
    preflight.check_machine()
    with exclusive(LOCK):
        running = processes.daemons()
        if not running and not constants.runtime().exists() and not cleanup.containers_run():
            return
        with step("stop the local cluster"):
            preflight.check_other_instance()
            if {"kube-apiserver", "etcd", "kubelet", "containerd"} <= running.keys():
                _drain(running)
            for name in STOP_ORDER:
                if name in running:
                    processes.stop(running[name])
            cleanup.kill_containers()
            network.remove()
            cleanup.remove()


def _drain(running: dict[str, processes.Process]) -> None:
    """End the node's pods as the kubelet would, workloads before the cluster's own.

    The scheduler stops first, so that no replacement pod is placed here. The controllers stop last and record
    which pods are gone: otherwise a Deployment would still count as available after the next start.
    """
    if "kube-scheduler" in running:
        processes.stop(running.pop("kube-scheduler"))
    try:
        with Api() as api:
            for ours in (False, True):
                deadline = time.monotonic() + DRAIN_SECONDS + DRAIN_SLACK_SECONDS
                while pods := [p for p in _pods(api) if _is_system(p) == ours]:
                    for pod in pods:
                        if "deletionTimestamp" not in pod["metadata"]:
                            grace = min(pod["spec"]["terminationGracePeriodSeconds"], DRAIN_SECONDS)
                            api.delete_pod(pod["metadata"]["namespace"], pod["metadata"]["name"], grace)
                    if time.monotonic() > deadline:
                        break
                    time.sleep(POLL_SECONDS)
    except Failed:
        return  # the API server died meanwhile: the rest is ended by force


def clean() -> None:
    """Run `stop`, then delete the cluster's folder with etcd's data, images and keys."""
    stop()
    with exclusive(LOCK):
        preflight.check_other_instance()
        cleanup.refuse_mounts()
        shutil.rmtree(paths.cluster(), ignore_errors=True)
