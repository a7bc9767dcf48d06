"""Conditions under which a change replaces a resource, beyond the provider's schema.

Each was seen with google-beta 8.0.0 on 2026-11-28; in its source they are `CustomizeDiff` functions.
"""

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any

from tools.fake_gcp.schema.kind import UNKNOWN

Condition = Callable[[Any, Any, Mapping[str, Any]], bool]
"""A question to the old value, the new value and all new inputs: does the change replace?"""


def smaller_range(old: Any, new: Any, inputs: Mapping[str, Any]) -> bool:
    """Return whether the new range of addresses lacks a part of the old one."""
    del inputs
    return not ipaddress.IPv4Network(old).subnet_of(ipaddress.IPv4Network(new))


def smaller(old: Any, new: Any, inputs: Mapping[str, Any]) -> bool:
    """Return whether a size, in GB, becomes less."""
    del inputs
    return new < old


def turned_off(old: Any, new: Any, inputs: Mapping[str, Any]) -> bool:
    """Return whether a setting was on and is off."""
    del inputs
    return bool(old) and not new


def managed_internally(old: Any, new: Any, inputs: Mapping[str, Any]) -> bool:
    """Return whether a managed proxy stands behind the forwarding rule."""
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
    """Return whether a change of the input at `path`, without indexes, replaces under such a condition."""
    condition = CONDITIONS.get((token, path))
    if condition is None or old is None or new is None or UNKNOWN in (old, new):
        return False
    return condition(old, new, inputs)
