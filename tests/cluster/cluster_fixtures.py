"""Helpers of the local/cluster tests: the machine's state as text, probe pods, and ways to break things."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local import cluster
from local.cluster import cleanup, constants, images, processes
from local.cluster.api import Api
from local.cluster.system_commands import attempt, output
from local.commands.kubectl import kubectl
from tests.tpu_vm import machine
from tools.support import paths

NETWORKS = Path("/run/netns")
"""Becomes a mount with the first network namespace that ip(8) makes, and stays one."""

PROBE_SOURCE = Path(__file__).resolve().parent / "probe" / "main.go"
POD_SECONDS = 300.0
# A kubelet that has just started learns its pods from the API server, and refuses exec until then.
SAY_SECONDS = 60.0
DAEMONS = (
    "etcd",
    "containerd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "bucket",
)


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m local.cluster …` as a user does."""
    command = [sys.executable, "-m", "local.cluster", *words]
    return subprocess.run(
        command,
        cwd=paths.REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


def machine_state() -> dict[str, list[str]]:
    """Returns everything that `stop` must leave as `start` found it.

    Networks of the machines of tests/tpu_vm are left out: those tests may run beside these (tests/tiers.py).
    """
    return {
        "processes": _daemons(),
        "marked": [str(process) for process in processes.marked()],
        "links": [link["ifname"] for link in json.loads(output("ip", "-json", "link"))],
        "routes": output("ip", "route", "show", "table", "all").splitlines(),
        "mounts": [
            str(mount.point)
            for mount in cleanup.mounts()
            if mount.point != NETWORKS and not str(mount.point).startswith(f"{NETWORKS}/{machine.PREFIX}")
        ],
        "nftables": _rules(output("nft", "list", "ruleset")),
        "iptables": _rules(attempt("iptables-save").stdout),
        "control groups": [
            str(folder) for folder, _, _ in Path("/sys/fs/cgroup").walk() if folder.name == constants.CGROUP
        ],
        "network namespaces": [
            line for line in output("ip", "netns", "list").splitlines() if not line.startswith(machine.PREFIX)
        ],
        "kernel settings": [f"{file} {value}" for file, value in cleanup.kernel_settings().items()],
        "forwarding": [Path("/proc/sys/net/ipv4/ip_forward").read_text()],
        "sockets": [
            str(p) for folder in ("/run/tpuserve", "/run/containerd") for p in Path(folder).rglob("*.sock")
        ],
        "kubelet folder": [str(p) for p in Path("/var/lib/kubelet").rglob("*")],
    }


def _daemons() -> list[str]:
    """Returns the names of all processes that are named as a cluster's are, without other tests' own."""
    ours = ("tpuserve", "kube", "etcd", "containerd", "runc", "bucket")
    parents: dict[int, int] = {}
    names: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, parent, *_ = (folder / "stat").read_text().rpartition(")")[2].split()
            parents[int(folder.name)] = int(parent)
            # A zombie that waits for the machine's init no longer counts as a process of the cluster.
            if state != "Z":
                names[int(folder.name)] = (folder / "comm").read_text().strip()

    def line(process: int) -> list[int]:
        ancestors = [process]
        while ancestors[-1] in parents:
            ancestors.append(parents[ancestors[-1]])
        return ancestors

    own = set(line(os.getpid()))
    others = {process for process in names if process not in own and _runs_tests(process)}
    return sorted(
        name
        for process, name in names.items()
        if any(word in name for word in ours) and not others & set(line(process))
    )


def _runs_tests(process: int) -> bool:
    """Returns whether a process is pytest of another tier, which may run beside this one (tests/tiers.py)."""
    with contextlib.suppress(OSError):
        return b"\0pytest\0" in Path(f"/proc/{process}/cmdline").read_bytes()
    return False


def _rules(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


@pytest.fixture(scope="session")
def cluster_instance(instance: None) -> None:
    """Stop the test instance if an earlier run left it running."""
    cluster.stop()


@pytest.fixture
def started(cluster_instance: None) -> None:
    """Start and repair the cluster."""
    cluster.start()


@pytest.fixture(scope="session")
def probe_archive(cluster_instance: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Returns the image of probe/main.go: its reference and its archive."""
    folder = tmp_path_factory.mktemp("probe")
    program, archive = folder / "probe", folder / "probe.oci.tar"
    build = ["go", "build", "-trimpath", "-o", str(program), str(PROBE_SOURCE)]
    subprocess.run(build, env={**os.environ, "CGO_ENABLED": "0", "GO111MODULE": "off"}, check=True)
    image = images.ProgramImage("probe", program)
    images.write_program_image(image, archive)
    return image.reference, archive


@pytest.fixture
def probes(probe_archive: tuple[str, Path], started: None) -> Iterator["Probes"]:
    """Yields pods that serve and send requests, in a namespace that is deleted with the test."""
    with namespace(*probe_archive) as made:
        yield made


@pytest.fixture(scope="module")
def tpu_server(probe_archive: tuple[str, Path]) -> Iterator["Probes"]:
    """Yields a probe's server on one slice, shared by a module's tests: each finds and leaves it serving."""
    cluster.start()
    with namespace(*probe_archive) as made:
        made.deploy("server", tpu=constants.SLICE_CHIPS)
        yield made


@contextlib.contextmanager
def namespace(image: str, archive: Path) -> Iterator["Probes"]:
    """Yields a new namespace for probes on the running cluster."""
    cluster.import_image(archive)
    name = f"probe-{time.monotonic_ns()}"
    kubectl("create", "namespace", name)
    try:
        yield Probes(name, image)
    finally:
        cluster.start()
        kubectl("delete", "namespace", name, "--wait=false")


class Probes:
    """Deployments of the probe, and commands in their pods."""

    def __init__(self, namespace: str, image: str) -> None:
        self.namespace = namespace
        self.image = image

    def deploy(self, name: str, *, tpu: int = 0, **container: Any) -> None:
        """Deploy one replica of the probe's server with a Service; it is ready when this returns."""
        self.apply_unready(name, tpu=tpu, **container)
        self.await_ready(name)

    def apply_unready(self, name: str, *, tpu: int = 0, **container: Any) -> None:
        """Deploy the same without waiting."""
        labels = {"app": name}
        probe = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}
        containers = [
            {
                "name": "probe",
                "image": self.image,
                "imagePullPolicy": "Never",
                "args": ["serve"],
                "readinessProbe": probe,
                "resources": {"limits": {constants.TPU_RESOURCE: str(tpu)} if tpu else {}},
                **container,
            }
        ]
        tolerations = [{"key": constants.TPU_RESOURCE, "operator": "Exists", "effect": "NoSchedule"}]
        pod = {
            "containers": containers,
            "nodeSelector": constants.NODE_LABELS,
            "tolerations": tolerations,
            "terminationGracePeriodSeconds": 5,
            "volumes": [{"name": "models", "hostPath": {"path": str(paths.node_data() / "models")}}],
        }
        spec = {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        }
        self.apply("apps/v1", "Deployment", name, spec)
        self.apply("v1", "Service", name, {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]})

    def apply(self, version: str, kind: str, name: str, spec: dict[str, Any]) -> None:
        """Apply one object of the probes' namespace."""
        metadata = {"name": name, "namespace": self.namespace}
        manifest = {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
        kubectl("apply", "-f", "-", given=json.dumps(manifest))

    def await_ready(self, name: str) -> None:
        """Wait until the Deployment's only pod serves and its Service leads to it."""
        kubectl(
            "rollout", "status", "-n", self.namespace, f"deployment/{name}", f"--timeout={POD_SECONDS:.0f}s"
        )
        eventually(lambda: self.run(name, "get", f"http://{name}").returncode == 0, POD_SECONDS)

    def pods(self, name: str) -> list[dict[str, Any]]:
        """Returns the pods of the Deployment that are not being deleted."""
        found = json.loads(kubectl("get", "pods", "-n", self.namespace, "-l", f"app={name}", "-o", "json"))
        return [pod for pod in found["items"] if "deletionTimestamp" not in pod["metadata"]]

    def run(self, name: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the probe in the Deployment's pod."""
        from tools import toolchain

        base = [str(toolchain.path("kubectl")), "--kubeconfig", str(paths.kubeconfig()), "exec"]
        target = ["-n", self.namespace, f"deployment/{name}", "--", "/probe", *words]
        return subprocess.run([*base, *target], capture_output=True, text=True, check=False, timeout=300)

    def says(self, name: str, *words: str) -> str:
        """Returns the output of the probe in the Deployment's pod; it must succeed soon, though not at
        once."""
        deadline = time.monotonic() + SAY_SECONDS
        while (done := self.run(name, *words)).returncode != 0:
            assert time.monotonic() < deadline, done.stderr
            time.sleep(0.5)
        return done.stdout.strip()


def kill(name: str) -> None:
    """kill -9 one daemon, and wait until it is gone."""
    pid = processes.daemons()[name].pid
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: name not in processes.daemons())


def eventually(holds: Callable[[], bool], seconds: float = 120.0) -> None:
    """Poll until `holds`, or fail."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def all_healthy() -> bool:
    """Returns whether `status` reports that everything is healthy."""
    return cluster.status().healthy


def get(path: str) -> Any:
    """Returns the answer of the API server to one GET as the administrator."""
    with Api() as api:
        return api.get(path)
