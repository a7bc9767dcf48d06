"""The facts about the local cluster that the local stack reads; `stacks/` imports only this."""

from pathlib import Path

from local import image
from local.cluster import constants
from tools.support import paths

NODE_ADDRESS = constants.BRIDGE_ADDRESS
"""IPv4 address from which this machine's own processes, such as `make ask`, reach pods.
The object store listens there too."""

STORAGE_PORT = constants.BUCKET_PORT
"""TCP port of the object store at NODE_ADDRESS, which a pod's network policy has to allow."""


def kubeconfig() -> Path:
    """Returns the file with the administrator's access to this instance's cluster."""
    return paths.kubeconfig()


def node_data() -> Path:
    """Returns the folder on the node that holds `models`."""
    return paths.node_data()


def bucket() -> str:
    """Returns the name of the bucket that stands in for one of Cloud Storage's."""
    return constants.BUCKET


def storage_url() -> str:
    """Returns the object store's URL: the value of `STORAGE_EMULATOR_HOST` for clients of Cloud Storage."""
    return constants.storage_url()


def image_reference() -> str:
    """Returns the name of the server's image, which `make up` imports into the node."""
    return image.reference()
