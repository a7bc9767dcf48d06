"""The systemd units of a TPU VM: the server, its sidecar, its watchdog, the report of its end, and its
collector of metrics."""

from collections.abc import Sequence
from pathlib import Path

from serving.deploy import collector, container_layout
from serving.deploy.compose import CONTAINER, RESTART, SERVICE, SIDECAR_CONTAINER
from serving.startup.timeouts import TEARDOWN, Lifecycle

BASE = "/var/lib/tpuserve"
"""Folder of the machine's lasting data; on the data disk, if there is one."""

UNIT = "tpuserve-vllm.service"
SIDECAR_UNIT = "tpuserve-sidecar.service"
WATCH_UNIT = "tpuserve-watch.service"
LAST_WORDS_UNIT = "tpuserve-last-words.service"
COLLECTOR_UNIT = "tpuserve-collector.service"

STARTS = 3
"""Starts before systemd gives up: a crash that recurs this often will not fix itself."""

RESTART_SECONDS = 10

COLLECTOR_RESTART_SECONDS = 60

_AGENT = "PYTHONPATH=/run/tpuserve/files/boot"
"""Environment with which a unit can run `python3 -m agent.vm`."""

_XLA = f"cache/{Path(container_layout.COMPILE_CACHE).name}"
"""The compile cache below the units' folder, of which compose.yaml mounts `cache`."""


def units(
    release: str, lifecycle: Lifecycle, leave_seconds: int, *, collected: bool = False
) -> dict[str, str]:
    """Returns the texts of the systemd units by name; with `collected`, also the collector's."""
    beside = (SIDECAR_UNIT, WATCH_UNIT, *((COLLECTOR_UNIT,) if collected else ()))
    return {
        UNIT: _server(release, lifecycle, leave_seconds, beside),
        SIDECAR_UNIT: _SIDECAR,
        WATCH_UNIT: _watch(lifecycle),
        LAST_WORDS_UNIT: _LAST_WORDS,
        **({COLLECTOR_UNIT: _COLLECTOR} if collected else {}),
    }


def _server(release: str, lifecycle: Lifecycle, leave_seconds: int, beside: Sequence[str]) -> str:
    """Returns the unit that starts the server, limits its restarts, and drains it before a stop.

    `Restart=always` has a limit over more than `STARTS` whole boots: otherwise a server that always fails
    late would restart forever. A stop first makes `/health` fail, waits `leave_seconds` until load balancers
    have noticed, and then signals vLLM, which finishes its requests. Compose only creates the container:
    attached, it would write control characters before each line of the log. The units `beside` it are
    started with it, and none of their failures stops it.
    """
    stop = leave_seconds + lifecycle.shutdown_timeout_seconds + TEARDOWN
    window = (STARTS + 1) * (lifecycle.engine_ready_timeout_seconds + RESTART_SECONDS)
    draining = f"run/{Path(container_layout.DRAIN_FILE).name}"
    return f"""\
[Unit]
Description=vLLM, release {release}
Requires=docker.service
After=docker.service network-online.target
Wants=network-online.target {" ".join(beside)}
OnFailure={LAST_WORDS_UNIT}
StartLimitIntervalSec={window}
StartLimitBurst={STARTS}

[Service]
WorkingDirectory={BASE}
Environment={RESTART}=no {_AGENT}
ExecStartPre=/bin/rm -f {draining}
ExecStartPre=/usr/bin/docker compose --ansi never create --pull never {SERVICE}
ExecStartPre=-/usr/bin/python3 -m agent.vm start {_XLA}
ExecStart=/usr/bin/docker start --attach {CONTAINER}
ExecStop=-/usr/bin/python3 -m agent.vm stop {_XLA} $MAINPID
ExecStop=/bin/sh -c 'touch {draining}; sleep {leave_seconds}'
ExecStop=/usr/bin/docker compose stop --timeout {lifecycle.shutdown_timeout_seconds + TEARDOWN} {SERVICE}
Restart=always
RestartSec={RESTART_SECONDS}
TimeoutStopSec={stop}
KillMode=mixed
"""


def _watch(lifecycle: Lifecycle) -> str:
    """Returns the unit that replaces the kubelet's liveness probe: Docker only records the result of
    `/health`.

    It starts after the server, so that it ends before a drain, in which `/health` fails on purpose.
    """
    state = f"docker inspect --format {{{{.State.Status}}}}/{{{{.State.Health.Status}}}} {CONTAINER}"
    look = f"{state} | grep -qx running/unhealthy && docker kill {CONTAINER}"
    return f"""\
[Unit]
Description=Restarts vLLM when it answers no more
PartOf={UNIT}
After={UNIT}

[Service]
ExecStart=/bin/sh -c 'while sleep {lifecycle.liveness_period_seconds}; do {look}; done'
Restart=always
RestartSec={RESTART_SECONDS}
"""


# `PartOf` passes each stop and each restart of the server on, so that the sidecar accepts each of its
# processes. The server only wants its sidecar: when that ends it is started again, and the server goes on.
_SIDECAR = f"""\
[Unit]
Description=Accepts vLLM, publishes its compile cache and shows metrics
PartOf={UNIT}
After={UNIT}

[Service]
WorkingDirectory={BASE}
Environment={RESTART}=no
ExecStartPre=/usr/bin/docker compose --ansi never create --pull never {container_layout.SIDECAR}
ExecStart=/usr/bin/docker start --attach {SIDECAR_CONTAINER}
ExecStop=/usr/bin/docker compose stop {container_layout.SIDECAR}
Restart=on-failure
RestartSec={RESTART_SECONDS}
"""


_LAST_WORDS = f"""\
[Unit]
Description=Report why vLLM is not started again

[Service]
Type=oneshot
Environment={_AGENT}
ExecStart=/usr/bin/python3 -m agent.vm last-words {UNIT} {STARTS}
"""


# The server wants it and is not ordered after it: neither its pull, nor its failure, nor its stop takes time
# from the server. It is no part of the server, so that it reports a server that does not come back.
_COLLECTOR = f"""\
[Unit]
Description=Sends the metrics of vLLM and its sidecar to Cloud Monitoring
After=docker.service network-online.target
StartLimitIntervalSec=0

[Service]
WorkingDirectory={BASE}
Environment={RESTART}=no {_AGENT}
ExecStartPre=/usr/bin/docker compose --ansi never create --pull missing {collector.SERVICE}
ExecStart=/usr/bin/docker start --attach {collector.CONTAINER}
ExecStartPost=-/usr/bin/python3 -m agent.vm metrics {COLLECTOR_UNIT}
ExecStop=/usr/bin/docker compose stop --timeout 5 {collector.SERVICE}
ExecStopPost=-/usr/bin/python3 -m agent.vm metrics {COLLECTOR_UNIT}
Restart=on-failure
RestartSec={COLLECTOR_RESTART_SECONDS}
TimeoutStartSec=600
"""
