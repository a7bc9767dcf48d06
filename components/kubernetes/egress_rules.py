"""Egress rules of a NetworkPolicy on GKE, one for each destination that a pod may call."""

from pulumi_kubernetes.networking.v1 import NetworkPolicyEgressRuleArgsDict

from components.gcp.private_google_access import RANGE

# With Dataplane V2 a pod's DNS queries go to the cache pod on its node instead of kube-dns. Both are allowed,
# and so is the cache's address without Dataplane V2
# (https://cloud.google.com/kubernetes-engine/docs/how-to/nodelocal-dns-cache).
DNS: NetworkPolicyEgressRuleArgsDict = {
    "to": [
        {
            "namespace_selector": {"match_labels": {"kubernetes.io/metadata.name": "kube-system"}},
            "pod_selector": {
                "match_expressions": [
                    {"key": "k8s-app", "operator": "In", "values": ["kube-dns", "node-local-dns"]}
                ]
            },
        },
        {"ip_block": {"cidr": "169.254.20.10/32"}},
    ],
    "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
}

# The metadata server, from which a pod gets its Google identity
# (https://cloud.google.com/kubernetes-engine/docs/how-to/workload-identity, NetworkPolicy, Dataplane V2).
METADATA: NetworkPolicyEgressRuleArgsDict = {
    "to": [{"ip_block": {"cidr": "169.254.169.254/32"}}],
    "ports": [{"port": 80, "protocol": "TCP"}],
}


def service_port(namespace: str, port: int) -> NetworkPolicyEgressRuleArgsDict:
    """Returns the rule for one port of the pods of a namespace."""
    return {
        "to": [{"namespace_selector": {"match_labels": {"kubernetes.io/metadata.name": namespace}}}],
        "ports": [{"port": port, "protocol": "TCP"}],
    }


GOOGLE_APIS: NetworkPolicyEgressRuleArgsDict = {
    "to": [{"ip_block": {"cidr": RANGE}}],
    "ports": [{"port": 443, "protocol": "TCP"}],
}

GKE_SERVICES = "34.118.224.0/20"
"""Range that GKE manages for Services since 1.29, including the API server's. It is not in a private block
(https://cloud.google.com/kubernetes-engine/docs/concepts/alias-ips#defaults_limits)."""

NOT_PUBLIC = (
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8", "100.64.0.0/10"),
    *("198.18.0.0/15", "224.0.0.0/3", GKE_SERVICES),
)
"""Ranges of nodes, pods, Services, control planes, metadata and loopback
(https://cloud.google.com/vpc/docs/subnets#valid-ranges)."""

# The public internet by HTTPS, because neither Hugging Face nor a host of media has a separate range.
INTERNET: NetworkPolicyEgressRuleArgsDict = {
    "to": [{"ip_block": {"cidr": "0.0.0.0/0", "except_": list(NOT_PUBLIC)}}],
    "ports": [{"port": 443, "protocol": "TCP"}],
}
