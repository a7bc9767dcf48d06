"""IP addresses from which the server may fetch a file: those of the public internet."""

import ipaddress
import os

API_SERVER_VARIABLE = "KUBERNETES_SERVICE_HOST"
"""Kubernetes sets it in every container to the address of the API server's Service."""

NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""Addresses that a gateway translates to the IPv4 address in their last bytes."""

GKE_SERVICES = ipaddress.ip_network("34.118.224.0/20")
"""Range of Services that GKE manages since 1.29. It looks public and is inside the cluster:
https://cloud.google.com/kubernetes-engine/docs/concepts/alias-ips#defaults_limits"""


def is_public(address: str) -> bool:
    """Return whether an address is of the public internet, not loopback, link-local, private or the
    cluster's."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if ip in NAT64 or ip.sixtofour is not None or ip.teredo is not None:
            return False
    elif ip in GKE_SERVICES:
        return False
    return ip.is_global and not ip.is_multicast and str(ip) != os.environ.get(API_SERVER_VARIABLE)
