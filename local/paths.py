"""Where local/ keeps what it makes: one folder outside the clone, so that clones share it.

Everything here is a pure function of the environment; nothing is created by asking.
"""

import os
import re
from pathlib import Path

from local.refusal import Refusal

REPOSITORY = Path(__file__).resolve().parent.parent

SHARED = ("toolchain", "environments", "logs", "locks", "images", "proofs", "machines")
"""Folders of `home` that are no instance's: what instances share, and the tests' machines."""

NAME = re.compile(r"[a-z0-9-]{1,32}")


def home() -> Path:
    """The folder of everything that is built or kept: `TPUSERVE_CACHE`, or `~/.cache/tpuserve`."""
    return Path(os.environ.get("TPUSERVE_CACHE") or Path.home() / ".cache" / "tpuserve").absolute()


def toolchain() -> Path:
    """Built programs, one folder per program and version; safe to delete, costs a rebuild."""
    return home() / "toolchain"


def environments() -> Path:
    """Python environments of the model server, one folder per lock file."""
    return home() / "environments"


def instance() -> str:
    """Name of the local cluster that is meant: `TPUSERVE_INSTANCE`, or `local`; the tests use `test`.

    Instances keep their state apart and share what is built; only one runs on a machine at a time. The name
    is a folder that `make clean` removes. Raises Refusal when it is none.
    """
    name = os.environ.get("TPUSERVE_INSTANCE") or "local"
    if not NAME.fullmatch(name):
        raise Refusal(
            f"TPUSERVE_INSTANCE is {name!r}, and an instance's name has 1 to 32 of a-z, 0-9 and -: set it to "
            "such a name, or unset it."
        )
    if name in SHARED:
        raise Refusal(
            f"TPUSERVE_INSTANCE is {name}, which is a folder that all instances share: set it to another "
            "name, or unset it."
        )
    return name


def cluster() -> Path:
    """State of this instance's cluster: PKI, etcd data, containerd root, sockets, configuration, logs."""
    return home() / instance() / "cluster"


def kubeconfig() -> Path:
    """Administrator's kubeconfig of the local cluster, written by `local.cluster` on its first start."""
    return cluster() / "kubeconfig"


def node_data() -> Path:
    """What the node offers to pods as persistent volumes: `models/` (read-only) and `compile-cache/`."""
    return home() / instance() / "node"


def pulumi_home() -> Path:
    """PULUMI_HOME of the local stack (plugins, credentials); its file backend is `state/` in it."""
    return home() / instance() / "pulumi"


def offline() -> Path:
    """The pretended Google Cloud of `make preview`, with a PULUMI_HOME and states of its own."""
    return home() / instance() / "offline"


def logs() -> Path:
    """Whole logs of build steps; a failed step names its file."""
    return home() / "logs"
