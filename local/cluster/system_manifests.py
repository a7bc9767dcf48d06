"""Objects that the cluster runs from the start: DNS, the NetworkPolicy enforcer, Gateway API's types."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from local.cluster import constants, images, pki
from local.cluster.api import Api
from tools.toolchain import gateway_api

SYSTEM = "kube-system"
DNS_PORT = 1053  # above 1023, so that CoreDNS needs no capability
UNPRIVILEGED_USER = 65532

# The node's TPU taint keeps away every pod without this toleration.
TOLERATIONS = [{"key": constants.TPU_RESOURCE, "operator": "Exists", "effect": "NoSchedule"}]
CONFINED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
COREFILE = f"""
.:{DNS_PORT} {{
    errors
    health :8080
    ready :8181
    kubernetes {constants.DNS_DOMAIN} in-addr.arpa {{
        pods insecure
    }}
    cache 5
}}
"""


def apply(api: Api) -> None:
    """Apply every object to the cluster; unchanged objects stay as they are. Raises Refusal."""
    for manifest in system():
        api.apply(manifest)
    for file in gateway_api.types():
        _apply_type(api, file)


def _apply_type(api: Api, file: Path) -> None:
    text = file.read_bytes()
    manifest = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    served = api.get(
        f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{manifest['metadata']['name']}"
    )
    bundle = "gateway.networking.k8s.io/bundle-version"
    version = manifest["metadata"]["annotations"][bundle]
    if served is None or served["metadata"].get("annotations", {}).get(bundle) != version:
        api.apply(manifest, body=text)


def system() -> Iterator[Mapping[str, Any]]:
    """Yields the objects of kube-system in the order in which they are applied."""
    yield _binding("tpuserve-kubelet-client", "system:kubelet-api-admin", user=pki.KUBELET_CLIENT)
    yield from _account(
        "coredns",
        [
            {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": ["list", "watch"]},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
        ],
    )
    yield _object("v1", "ConfigMap", "coredns", data={"Corefile": COREFILE})
    yield _coredns()
    yield _dns_service()
    yield from _account(
        "kube-network-policies",
        [
            {"apiGroups": [""], "resources": ["pods", "namespaces"], "verbs": ["list", "watch"]},
            {
                "apiGroups": ["networking.k8s.io"],
                "resources": ["networkpolicies"],
                "verbs": ["list", "watch"],
            },
        ],
    )
    yield _network_policies()


def _object(version: str, kind: str, name: str, *, namespaced: bool = True, **rest: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": SYSTEM} if namespaced else {"name": name}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}


def _account(name: str, rules: list[dict[str, list[str]]]) -> Iterator[Mapping[str, Any]]:
    version = "rbac.authorization.k8s.io/v1"
    yield _object("v1", "ServiceAccount", name)
    yield _object(version, "ClusterRole", f"tpuserve:{name}", namespaced=False, rules=rules)
    yield _binding(f"tpuserve:{name}", f"tpuserve:{name}", account=name)


def _binding(name: str, role: str, *, user: str = "", account: str = "") -> dict[str, Any]:
    group = "rbac.authorization.k8s.io"
    subject = (
        {"kind": "User", "name": user, "apiGroup": group}
        if user
        else {"kind": "ServiceAccount", "name": account, "namespace": SYSTEM}
    )
    reference = {"apiGroup": group, "kind": "ClusterRole", "name": role}
    return _object(
        f"{group}/v1", "ClusterRoleBinding", name, namespaced=False, roleRef=reference, subjects=[subject]
    )


def _workload(kind: str, name: str, pod: dict[str, Any], **spec: Any) -> dict[str, Any]:
    labels = {"k8s-app": name}
    template = {
        "metadata": {"labels": labels},
        "spec": {
            "serviceAccountName": name,
            "priorityClassName": "system-node-critical",
            "tolerations": TOLERATIONS,
            "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
            **pod,
        },
    }
    return _object(
        "apps/v1", kind, name, spec={"selector": {"matchLabels": labels}, "template": template, **spec}
    )


def _coredns() -> dict[str, Any]:
    container = {
        "name": "coredns",
        "image": images.coredns().reference,
        "imagePullPolicy": "Never",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "ports": [
            {"name": "dns", "containerPort": DNS_PORT, "protocol": "UDP"},
            {"name": "dns-tcp", "containerPort": DNS_PORT, "protocol": "TCP"},
        ],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
        "livenessProbe": {"httpGet": {"path": "/health", "port": 8080}, "failureThreshold": 5},
        "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {**CONFINED, "runAsNonRoot": True, "runAsUser": UNPRIVILEGED_USER},
        "volumeMounts": [{"name": "configuration", "mountPath": "/etc/coredns", "readOnly": True}],
    }
    pod = {
        "dnsPolicy": "Default",
        "containers": [container],
        "volumes": [{"name": "configuration", "configMap": {"name": "coredns"}}],
    }
    return _workload("Deployment", "coredns", pod, replicas=1)


def _dns_service() -> dict[str, Any]:
    ports = [
        {"name": "dns", "port": 53, "targetPort": DNS_PORT, "protocol": "UDP"},
        {"name": "dns-tcp", "port": 53, "targetPort": DNS_PORT, "protocol": "TCP"},
    ]
    spec = {"clusterIP": constants.DNS_SERVICE, "selector": {"k8s-app": "coredns"}, "ports": ports}
    return _object("v1", "Service", "kube-dns", spec=spec)


def _network_policies() -> dict[str, Any]:
    container = {
        "name": "kube-network-policies",
        "image": images.network_policies().reference,
        "imagePullPolicy": "Never",
        "args": [
            f"--hostname-override={constants.NODE}",
            f"--nfqueue-id={constants.POLICY_QUEUE}",
            f"--metrics-bind-address={constants.LOOPBACK}:{constants.POLICIES_METRICS_PORT}",
        ],
        "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {
            **CONFINED,
            "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]},
        },
    }
    pod = {"hostNetwork": True, "containers": [container]}
    return _workload("DaemonSet", "kube-network-policies", pod)
