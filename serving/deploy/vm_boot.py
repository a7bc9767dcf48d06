"""Boot of a TPU VM: the script that Compute Engine runs at each start.

The script is `vm_boot.sh` with its constants. agent/vm contains the parts that call Google's APIs. Both are
in the instance template's metadata, so neither holds a secret.
"""

import shlex
from dataclasses import dataclass
from pathlib import Path

from serving.deploy import container_layout
from serving.deploy.systemd_units import BASE, SIDECAR_UNIT, STARTS, UNIT

DATA_DEVICE = "tpuserve-data"
"""Device name of the data disk in the instance template."""

# docker.io and docker-compose-v2 are in Ubuntu 22.04's own archive (universe, jammy-updates); Google's
# accelerator images are Ubuntu 22.04 without a container runtime.
PACKAGES = ("docker.io", "docker-compose-v2")


@dataclass(frozen=True, kw_only=True)
class Boot:
    """Values of one VM that the script needs. `_constants` lists the script's name of each."""

    release: str
    image: str
    disk: str
    """Path of the data disk on the VM; empty without a data disk."""
    secret: str
    """Full name of the version of the API key's secret; empty when clients need no key."""
    bucket: str
    model: str
    weights: str
    """Prefix of the model's files in `bucket`."""
    checkpoint: str = ""
    """Values that the config.json of the user's checkpoint must have; empty for a model of the table."""
    budget: int
    """Seconds from the server's start to its first answer."""
    acceptance: int
    """Seconds from its first answer to the sidecar's verdict."""
    packages: tuple[str, ...] = PACKAGES
    starts: int = STARTS
    """Number of starts after which systemd gives up."""
    port: int = container_layout.PORT


def data_disk(device: str = DATA_DEVICE) -> str:
    """Returns the path of the disk with this device name (udev rule 65-gce-disk-naming of Google's guest
    environment)."""
    return f"/dev/disk/by-id/google-{device}"


def script(boot: Boot) -> str:
    """Returns the text of the startup script."""
    template = (Path(__file__).parent / "vm_boot.sh").read_text("utf-8")
    return template.replace("# --- constants ---\n", "".join(f"{line}\n" for line in _constants(boot)))


def _constants(boot: Boot) -> list[str]:
    """Returns the lines that replace `# --- constants ---` in the script."""
    return [
        f"readonly BASE={BASE} UNIT={UNIT} SIDECAR_UNIT={SIDECAR_UNIT}",
        _constant("RELEASE", boot.release),
        _constant("IMAGE", boot.image),
        _constant("DISK", boot.disk),
        _constant("SECRET", boot.secret),
        _constant("BUCKET", boot.bucket),
        _constant("MODEL", boot.model),
        _constant("WEIGHTS", boot.weights),
        _constant("CHECKPOINT", boot.checkpoint),
        _constant("BUDGET", boot.budget),
        _constant("ACCEPTANCE", boot.acceptance),
        f"readonly PACKAGES=({shlex.join(boot.packages)})",
        _constant("STARTS", boot.starts),
        _constant("PORT", boot.port),
    ]


def _constant(name: str, value: str | int) -> str:
    return f"readonly {name}={shlex.quote(str(value))}"
