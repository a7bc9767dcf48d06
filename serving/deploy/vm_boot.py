"""The boot of a TPU VM: the script that Compute Engine runs at each start, and the unit that it starts.

The script is `vm_boot.sh` with its constants filled in; what it cannot do itself, talking to Google's APIs,
is in agent/vm. Both travel in the instance template's metadata, which therefore holds no secret.
"""

import shlex
from dataclasses import dataclass, fields
from pathlib import Path
from typing import cast

from serving.deploy import container_layout
from serving.deploy.compose import CONTAINER, RESTART
from serving.startup.timeouts import TEARDOWN, Lifecycle

DATA_DEVICE = "tpuserve-data"
"""Device name of the data disk in the instance template."""

BASE = "/var/lib/tpuserve"
"""What a machine keeps, on the data disk where there is one."""

UNIT = "tpuserve-vllm.service"
WATCH_UNIT = "tpuserve-watch.service"
LAST_WORDS_UNIT = "tpuserve-last-words.service"

# docker.io and docker-compose-v2 are in Ubuntu 22.04's own archive (universe, jammy-updates); Google's
# accelerator images are Ubuntu 22.04 without a container runtime.
PACKAGES = ("docker.io", "docker-compose-v2")

STARTS = 3
"""So often may the server end before systemd gives up: a crash that comes back each time is no accident."""

RESTART_SECONDS = 10

_AGENT = "PYTHONPATH=/run/tpuserve/files/boot"
"""What a unit needs in its environment to run `python3 -m agent.vm`."""

_XLA = f"cache/{Path(container_layout.COMPILE_CACHE).name}"
"""The compile cache below the units' folder, of which compose.yaml mounts `cache`."""


@dataclass(frozen=True, kw_only=True)
class Boot:
    """What one VM is to become; each field is a constant of the script, in capitals.

    `disk` is the data disk's path, empty where there is none; `secret` the full name of a secret's version,
    empty where clients need no key. `weights` and `cache` are a prefix and an object in `bucket`, and so is
    `baked`, empty where no baked cache is wanted. `budget` is in seconds, from the server's start to its
    first answer.
    """

    release: str
    image: str
    disk: str
    secret: str
    bucket: str
    model: str
    weights: str
    cache: str
    baked: str = ""
    budget: int
    packages: tuple[str, ...] = PACKAGES
    starts: int = STARTS
    port: int = container_layout.PORT


def data_disk(device: str = DATA_DEVICE) -> str:
    """Where udev shows a disk of that device name (the guest environment's rule 65-gce-disk-naming)."""
    return f"/dev/disk/by-id/google-{device}"


def script(boot: Boot) -> str:
    """The text of the start-up script."""
    template = (Path(__file__).parent / "vm_boot.sh").read_text("utf-8")
    return template.replace("# --- constants ---\n", "".join(f"{line}\n" for line in _constants(boot)))


def _constants(boot: Boot) -> list[str]:
    lines = [f"readonly BASE={BASE} UNIT={UNIT}"]
    for field in fields(boot):
        value = getattr(boot, field.name)
        if isinstance(value, tuple):
            words = shlex.join(cast(tuple[str, ...], value))
            lines.append(f"readonly {field.name.upper()}=({words})")
        else:
            lines.append(f"readonly {field.name.upper()}={shlex.quote(str(value))}")
    return lines


def units(release: str, lifecycle: Lifecycle, leave_seconds: int) -> dict[str, str]:
    """Name -> text of the systemd units: the server, what restarts one that hangs, what tells its end."""
    return {
        UNIT: _server(release, lifecycle, leave_seconds),
        WATCH_UNIT: _watch(lifecycle),
        LAST_WORDS_UNIT: _LAST_WORDS,
    }


def _server(release: str, lifecycle: Lifecycle, leave_seconds: int) -> str:
    """Starts the stack, counts its ends, and drains it before it stops.

    `Restart=always` with the limit counted over more than `STARTS` whole boots: a server that fails late each
    time would otherwise be started for ever. A stop first fails `/health`, waits `leave_seconds` until load
    balancers have noticed, and only then tells vLLM, which finishes what it has. Compose only makes the
    container: attached, it would put control characters before each line of the log.
    """
    stop = leave_seconds + lifecycle.shutdown_timeout_seconds + TEARDOWN
    window = (STARTS + 1) * (lifecycle.engine_ready_timeout_seconds + RESTART_SECONDS)
    draining = f"run/{Path(container_layout.DRAIN_FILE).name}"
    return f"""\
[Unit]
Description=vLLM, release {release}
Requires=docker.service
After=docker.service network-online.target
Wants=network-online.target {WATCH_UNIT}
OnFailure={LAST_WORDS_UNIT}
StartLimitIntervalSec={window}
StartLimitBurst={STARTS}

[Service]
WorkingDirectory={BASE}
Environment={RESTART}=no {_AGENT}
ExecStartPre=/bin/rm -f {draining}
ExecStartPre=/usr/bin/docker compose --ansi never create --pull never
ExecStartPre=-/usr/bin/python3 -m agent.vm start {_XLA}
ExecStart=/usr/bin/docker start --attach {CONTAINER}
ExecStop=-/usr/bin/python3 -m agent.vm stop {_XLA} $MAINPID
ExecStop=/bin/sh -c 'touch {draining}; sleep {leave_seconds}'
ExecStop=/usr/bin/docker compose stop --timeout {lifecycle.shutdown_timeout_seconds + TEARDOWN}
Restart=always
RestartSec={RESTART_SECONDS}
TimeoutStopSec={stop}
KillMode=mixed
"""


def _watch(lifecycle: Lifecycle) -> str:
    """What the kubelet's liveness probe is elsewhere: Docker asks `/health` and only notes the answer.

    After the server, so that it ends before a drain begins, in which `/health` fails on purpose.
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


_LAST_WORDS = f"""\
[Unit]
Description=Tells why vLLM is not started any more

[Service]
Type=oneshot
Environment={_AGENT}
ExecStart=/usr/bin/python3 -m agent.vm last-words {UNIT} {STARTS}
"""
