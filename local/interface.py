"""The four facts about the local cluster that the local stack reads; `stacks/` imports only this."""

from pathlib import Path

from local import image
from local.cluster import constants
from tools.support import paths

NODE_ADDRESS = constants.BRIDGE_ADDRESS
"""IPv4 address from which this machine's own processes, such as `make ask`, reach pods."""


def kubeconfig() -> Path:
    """Returns the file with the administrator's access to this instance's cluster."""
    return paths.kubeconfig()


def node_data() -> Path:
    """Returns the folder on the node that holds `models` and `compile-cache`."""
    return paths.node_data()


def image_reference() -> str:
    """Returns the name of the server's image, which `make up` imports into the node."""
    return image.reference()
