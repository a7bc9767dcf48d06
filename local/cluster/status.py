"""Status of the cluster, as typed values and as a table."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.cluster import constants, images, lifecycle, processes
from local.cluster.api import Api
from local.cluster.health import CHECKS, SERVICES
from tools.support import paths
from tools.support.progress import Refusal

TAIL_LINES = 40
SUMMARY_LINES = 5


@dataclass(frozen=True)
class ProcessStatus:
    """One daemon. `pid` and `uptime_seconds` are None when it does not run."""

    name: str
    pid: int | None
    uptime_seconds: float | None
    healthy: bool


@dataclass(frozen=True)
class Status:
    """The whole cluster. `images` maps references to digests; it is empty while containerd is down."""

    processes: tuple[ProcessStatus, ...]
    services: Mapping[str, bool]
    node_ready: bool
    tpu_chips: int
    images: Mapping[str, str]
    addresses: Mapping[str, str]
    kubeconfig: Path

    @property
    def healthy(self) -> bool:
        """Returns whether all processes are healthy, DNS and network policies work, the node is ready and the
        chips are offered."""
        answers = [*(process.healthy for process in self.processes), *self.services.values()]
        return all(answers) and self.node_ready and self.tpu_chips == constants.TPU_CHIPS

    def __str__(self) -> str:
        """Returns a table for people."""
        lines = [f"{'process':<26}{'pid':>9}{'uptime':>12}  health"]
        for row in self.processes:
            uptime = "-" if row.uptime_seconds is None else f"{row.uptime_seconds:.0f} s"
            health = "healthy" if row.healthy else "not running" if row.pid is None else "no answer"
            lines.append(f"{row.name:<26}{row.pid or '-':>9}{uptime:>12}  {health}")
        facts = {
            **{name: "healthy" if answers else "no answer" for name, answers in self.services.items()},
            f"node {constants.NODE}": "ready" if self.node_ready else "not ready",
            constants.TPU_RESOURCE: (
                f"{self.tpu_chips} of {constants.TPU_CHIPS} "
                f"({constants.SLICES} slices of {constants.SLICE_CHIPS})"
            ),
            **self.addresses,
            "kubeconfig": self.kubeconfig,
        }
        lines += ["", *(f"{what:<26}{value}" for what, value in facts.items())]
        lines += [f"{'image':<26}{name}" for name in sorted(self.images)]
        return "\n".join(lines)


def status() -> Status:
    """Returns the present status. Never waits for anything to become ready."""
    running = processes.daemons()
    rows = [
        ProcessStatus(
            name,
            running[name].pid if name in running else None,
            running[name].uptime_seconds if name in running else None,
            name in running and check(),
        )
        for name, check in CHECKS.items()
    ]
    ready, chips, present = False, 0, dict[str, str]()
    if "kube-apiserver" in running:
        with Api() as api:
            ready, chips = lifecycle.node_ready(api), lifecycle.tpu_chips(api)
    if "containerd" in running:
        present = {name: digest for name, digest in images.listed().items() if not name.startswith("sha256:")}
    addresses = {
        "API server": constants.api_url(),
        "pods": constants.POD_SUBNET,
        "services": constants.SERVICE_SUBNET,
        "name server": constants.DNS_SERVICE,
        f"gs://{constants.BUCKET}": constants.storage_url(),
    }
    services = {name: "kube-proxy" in running and check() for name, check in SERVICES.items()}
    return Status(tuple(rows), services, ready, chips, present, addresses, paths.kubeconfig())


def logs(component: str | None = None) -> str:
    """Returns the end of one component's log, or a few lines of each. Raises Refusal for an unknown
    component."""
    if component is not None and component not in CHECKS:
        raise Refusal(f"There is no component {component!r}: choose one of {', '.join(CHECKS)}.")
    parts: list[str] = []
    for name in CHECKS if component is None else (component,):
        file = processes.log_file(name)
        parts.append(f"== {name} ({file})")
        parts += processes.tail(file, SUMMARY_LINES if component is None else TAIL_LINES)
    return "\n".join((*parts, ""))
