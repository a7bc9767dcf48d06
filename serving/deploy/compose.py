"""The container stack of one server: `compose.yaml`, `vllm.env`, and their folder.

A TPU VM's boot writes these files and systemd starts them. `python -m explain compose` prints them for a
machine that you manage yourself, where no sidecar accepts the server. Paths are relative to the files'
folder:

    compose.yaml vllm.env    these two
    sidecar.json             the sidecar's settings (stacks/sidecar_settings.py)
    collector.yaml           the collector's configuration (serving/deploy/collector.py), with monitoring
    agent/                   the agent's files for the containers (agent/bundle.py)
    models/<model>/          weights and configuration, read only
    cache/                   compile cache, kept across restarts
    status/                  verdict and results of the compile cache; on a VM a tmpfs, for one boot
    run/api-key              the key that clients must send; on a VM a tmpfs, so that it is never on a disk
"""

import re
from collections.abc import Mapping
from pathlib import Path

import yaml

from serving.deploy import collector, container_layout
from serving.deploy.release import Release
from serving.startup.timeouts import TEARDOWN, Lifecycle

SERVICE = "vllm"
CONTAINER = "tpuserve-vllm"
SIDECAR_CONTAINER = "tpuserve-sidecar"

RESTART = "TPUSERVE_RESTART"
"""Variable with the restart policy: Docker's own by default, `no` if systemd starts and counts."""

SHARED_MEMORY = "16gb"
"""Ceiling of /dev/shm, not a reservation: images and messages between vLLM's processes pass through it."""

SIDECAR_SETTINGS = Path(container_layout.SIDECAR_FILE).name
"""File with the sidecar's settings, beside compose.yaml."""

_ADDRESS = f"${{{container_layout.ADDRESS}:-{container_layout.LOOPBACK}}}"
_RESTART = f"${{{RESTART}:-unless-stopped}}"
_LOGGING = {"driver": "local", "options": {"max-size": "100m", "max-file": "5"}}

# Values that Compose and `docker run --env-file` both read literally. They treat quotes, `$`, backslashes and
# ` #` differently, so values with these are refused. JSON that starts with a brace is read literally.
_SAME_FOR_BOTH = re.compile(r"(?!['\"\s])(?!.*\s#)(?!.*\s$)[^$`\\\n\r]*", re.DOTALL)


def compose(release: Release, lifecycle: Lifecycle, *, sidecar: bool, collected: bool = False) -> str:
    """Returns the text of `compose.yaml`.

    Without the sidecar nothing accepts the server. `collected` adds the collector of its metrics.
    """
    services = {SERVICE: _server(release, lifecycle)}
    if sidecar:
        services[container_layout.SIDECAR] = _sidecar(release)
    if collected:
        services[collector.SERVICE] = _collector()
    return yaml.safe_dump({"name": "tpuserve", "services": services}, sort_keys=False, width=1000)


def _server(release: Release, lifecycle: Lifecycle) -> dict[str, object]:
    health = f"http://{_ADDRESS}:{container_layout.PORT}/health"
    return {
        "image": release.image,
        "container_name": CONTAINER,
        # As a pod's `command`: the image's own entry point would read other variables.
        # `$` is doubled, which Compose would take for a variable, except in the address, which is one.
        "entrypoint": [
            word if word == _ADDRESS else word.replace("$", "$$") for word in release.argv(_ADDRESS)
        ],
        "command": [],
        "env_file": ["vllm.env"],
        "environment": {"TPUSERVE_DRAIN_FILE": container_layout.DRAIN_FILE},
        # Whatever user the image names: the chips' device files and the key are root's.
        "user": "0:0",
        # The chips are PCI devices that the TPU runtime opens through /dev/vfio with memory it pins.
        "privileged": True,
        "network_mode": "host",
        "init": True,
        "read_only": True,
        "tmpfs": ["/tmp"],
        "shm_size": SHARED_MEMORY,
        # No memory limit: reading the weights fills the page cache, which counts against one.
        "volumes": [
            _mount("./agent", container_layout.AGENT, read_only=True),
            _mount("./models", container_layout.MODELS, read_only=True),
            _mount("./cache", container_layout.CACHE, read_only=False),
            _mount("./status", container_layout.STATUS, read_only=False),
            _mount("./run", container_layout.SECRETS, read_only=True),
        ],
        "restart": _RESTART,
        "stop_grace_period": f"{lifecycle.shutdown_timeout_seconds + TEARDOWN}s",
        "healthcheck": {
            "test": ["CMD", "python3", "-c", f"import urllib.request as r; r.urlopen('{health}', timeout=5)"],
            "start_period": f"{lifecycle.engine_ready_timeout_seconds}s",
            "interval": f"{lifecycle.liveness_period_seconds}s",
            "timeout": f"{lifecycle.probe_timeout_seconds + 5}s",
            "retries": lifecycle.liveness_failure_threshold,
        },
        "logging": _LOGGING,
    }


def _sidecar(release: Release) -> dict[str, object]:
    """Returns the service that accepts the server, publishes its compile cache and shows metrics.

    Its port is on loopback: who reads it is on the machine.
    """
    return {
        "image": release.image,
        "container_name": SIDECAR_CONTAINER,
        "entrypoint": [
            *("python3", "-m", "agent.sidecar", "--settings", container_layout.SIDECAR_FILE),
            *("--server", f"http://{_ADDRESS}:{container_layout.PORT}"),
            *("--address", container_layout.LOOPBACK, "--port", str(container_layout.SIDECAR_PORT)),
        ],
        "command": [],
        "environment": {"HOME": "/tmp", "PYTHONPATH": container_layout.AGENT},
        # The key and the compile cache are root's; of root's capabilities it needs none.
        "user": "0:0",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "network_mode": "host",
        "init": True,
        "read_only": True,
        "tmpfs": ["/tmp"],
        "volumes": [
            _mount("./agent", container_layout.AGENT, read_only=True),
            _mount("./cache", container_layout.CACHE, read_only=False),
            _mount("./status", container_layout.STATUS, read_only=False),
            _mount("./run", container_layout.SECRETS, read_only=True),
            _mount(f"./{SIDECAR_SETTINGS}", container_layout.SIDECAR_FILE, read_only=True),
        ],
        "restart": _RESTART,
        "logging": _LOGGING,
    }


def _collector() -> dict[str, object]:
    """Returns the service that sends the metrics of server and sidecar to Cloud Monitoring.

    Entry point and user are those of its image, which has no shell and does not run as root.
    """
    return {
        "image": collector.IMAGE,
        "container_name": collector.CONTAINER,
        "command": [f"--config={collector.CONFIG_FILE}"],
        "environment": {container_layout.ADDRESS: _ADDRESS},
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "network_mode": "host",
        "read_only": True,
        "cpus": collector.CPUS,
        "mem_limit": f"{collector.MEMORY_MIB}m",
        "volumes": [_mount(f"./{collector.CONFIG}", collector.CONFIG_FILE, read_only=True)],
        "restart": _RESTART,
        "logging": _LOGGING,
    }


def env_file(environment: Mapping[str, str]) -> str:
    """The text of `vllm.env`, one NAME=value a line, without quotes.

    Raises ValueError for a value that Compose and `docker run --env-file` would read differently.
    """
    for name, value in environment.items():
        if not _SAME_FOR_BOTH.fullmatch(value):
            raise ValueError(
                f"The value of {name} cannot stand in an env file, which holds no line break, $, ` or \\, no "
                "quote or blank at its beginning, no blank at its end and no # after a blank; write it "
                "without."
            )
    return "".join(f"{name}={value}\n" for name, value in sorted(environment.items()))


def _mount(source: str, target: str, *, read_only: bool) -> dict[str, object]:
    # A missing folder is an error, not an empty one that belongs to root.
    return {
        "type": "bind",
        "source": source,
        "target": target,
        "read_only": read_only,
        "bind": {"create_host_path": False},
    }
