"""Object store of the cluster: fake-gcs-server with one bucket, in place of Cloud Storage."""

from pathlib import Path

from local.cluster import constants
from local.cluster.processes import Daemon
from tools import toolchain
from tools.support import paths


def folder() -> Path:
    """Returns the folder of the objects, which `stop` and `clean` keep as they keep the model."""
    return paths.node_data() / "bucket"


def daemon() -> Daemon:
    """Describes the object store. It asks for no credentials, so only this machine and its pods may reach
    it."""
    return Daemon(
        name="bucket",
        argv=(
            str(toolchain.path("bucket")),
            f"--listen={constants.BRIDGE_ADDRESS}:{constants.BUCKET_PORT}",
            f"--folder={folder()}",
            f"--bucket={constants.BUCKET}",
        ),
        before_launch=lambda: folder().mkdir(parents=True, exist_ok=True),
    )
