"""Changes that replace a resource only sometimes: the provider's code decides, and its schema does not say.

Each was seen with google-beta 8.0.0 on 2026-11-28; in its source they are `CustomizeDiff` functions.
"""

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any

from tests.standin.kind import UNKNOWN

Condition = Callable[[Any, Any, Mapping[str, Any]], bool]
"""Whether the change from the old value to the new one replaces, given all new inputs."""


def smaller_range(old: Any, new: Any, inputs: Mapping[str, Any]) -> bool:
    """The new range of addresses does not hold all of the old one."""
    del inputs
    return not ipaddress.IPv4Network(old).subnet_of(ipaddress.IPv4Network(new))


def smaller(old: Any, new: Any, inputs: Mapping[str, Any]) -> bool:
    """A disk shrinks."""
    del inputs
    return new < old


def turned_off(old: Any, new: Any, inputs: Mapping[str, Any]) -> bool:
    """What was on is off."""
    del inputs
    return bool(old) and not new


def managed_internally(old: Any, new: Any, inputs: Mapping[str, Any]) -> bool:
    """A proxy of Google's stands behind the forwarding rule."""
    del old, new
    return inputs.get("loadBalancingScheme") == "INTERNAL_MANAGED"


CONDITIONS: Mapping[tuple[str, str], Condition] = {
    ("gcp:compute/subnetwork:Subnetwork", "ipCidrRange"): smaller_range,
    ("gcp:compute/disk:Disk", "size"): smaller,
    ("gcp:compute/forwardingRule:ForwardingRule", "allowGlobalAccess"): managed_internally,
    ("gcp:container/cluster:Cluster", "enableL4IlbSubsetting"): turned_off,
    ("gcp:container/cluster:Cluster", "enableFqdnNetworkPolicy"): turned_off,
    ("gcp:storage/bucket:Bucket", "retentionPolicy.isLocked"): turned_off,
}


def replaces(token: str, path: str, old: Any, new: Any, inputs: Mapping[str, Any]) -> bool:
    """Whether a change of the input at `path` (without indexes) replaces for such a reason."""
    condition = CONDITIONS.get((token, path))
    if condition is None or old is None or new is None or UNKNOWN in (old, new):
        return False
    return condition(old, new, inputs)
