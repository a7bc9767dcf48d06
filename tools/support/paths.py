"""Folders of everything that local/ keeps, outside the clone, so that clones share it.

Every path is a pure function of the environment; reading one creates nothing.
"""

import os
import re
from pathlib import Path

from tools.support.errors import Refusal

REPOSITORY = Path(__file__).resolve().parents[2]

SHARED = (
    *("toolchain", "environments", "logs", "locks", "images", "proofs", "machines", "kubeconfigs"),
    "test-programs",
)
"""Folders of `home` that belong to no instance: those that instances share, and the tests' machines and
compiled programs."""

NAME = re.compile(r"[a-z0-9-]{1,32}")


def home() -> Path:
    """Returns the folder of everything that is built or kept: `TPUSERVE_CACHE`, or `~/.cache/tpuserve`."""
    return Path(os.environ.get("TPUSERVE_CACHE") or Path.home() / ".cache" / "tpuserve").absolute()


def toolchain() -> Path:
    """Returns the folder of built programs, one folder per program and version; safe to delete, costs a
    rebuild."""
    return home() / "toolchain"


def environments() -> Path:
    """Returns the folder of the model server's Python environments, one folder per lock file."""
    return home() / "environments"


def instance() -> str:
    """Returns the name of the local cluster: `TPUSERVE_INSTANCE`, or `local`; the tests use `test`.

    Instances have separate states and share what is built; only one runs on a machine at a time. The name is
    a folder that `make clean` removes. Raises Refusal when the name is not valid.
    """
    name = os.environ.get("TPUSERVE_INSTANCE") or "local"
    if not NAME.fullmatch(name):
        raise Refusal(
            f"TPUSERVE_INSTANCE is {name!r}, but an instance's name has 1 to 32 of a-z, 0-9 and -: set it "
            "to such a name, or unset it."
        )
    if name in SHARED:
        raise Refusal(
            f"TPUSERVE_INSTANCE is {name}, which is a folder that all instances share: set it to another "
            "name, or unset it."
        )
    return name


def cluster() -> Path:
    """Returns the folder of this cluster's state: PKI, etcd data, containerd root, sockets, configuration,
    logs."""
    return home() / instance() / "cluster"


def kubeconfig() -> Path:
    """Returns the administrator's kubeconfig of the local cluster, which `local.cluster` writes on its first
    start."""
    return cluster() / "kubeconfig"


def kubeconfigs() -> Path:
    """Returns the folder of the kubeconfigs of stacks on GKE, which hold no credential; safe to delete."""
    return home() / "kubeconfigs"


def node_data() -> Path:
    """Returns the folder that holds `models/` and `compile-cache/`, the node's volumes, and `bucket/`, the
    objects of the cluster's object store."""
    return home() / instance() / "node"


def pulumi_home() -> Path:
    """Returns PULUMI_HOME of the local stack (plugins, credentials); its file backend is `state/` in it."""
    return home() / instance() / "pulumi"


def offline() -> Path:
    """Returns the folder of `make preview`'s fake Google Cloud, with its own PULUMI_HOME and states."""
    return home() / instance() / "offline"


def logs() -> Path:
    """Returns the folder of the build steps' logs; a failed step names its file."""
    return home() / "logs"
