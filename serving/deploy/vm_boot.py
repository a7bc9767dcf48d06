"""The boot of a TPU VM: the script that Compute Engine runs at each start.

The script is `vm_boot.sh` with its constants filled in; what it cannot do itself, talking to Google's APIs,
is in agent/vm. Both travel in the instance template's metadata, which therefore holds no secret.
"""

import shlex
from dataclasses import dataclass, fields
from pathlib import Path
from typing import cast

from serving.deploy import container_layout
from serving.deploy.systemd_units import BASE, STARTS, UNIT

DATA_DEVICE = "tpuserve-data"
"""Device name of the data disk in the instance template."""

# docker.io and docker-compose-v2 are in Ubuntu 22.04's own archive (universe, jammy-updates); Google's
# accelerator images are Ubuntu 22.04 without a container runtime.
PACKAGES = ("docker.io", "docker-compose-v2")


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
