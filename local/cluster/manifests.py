"""Objects that the cluster runs from the start: DNS, the NetworkPolicy enforcer, Gateway API's types."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from local import paths
from local.cluster import images, pki, site
from local.cluster.api import Api
from local.progress import Refusal, step

SYSTEM = "kube-system"
DNS_PORT = 1053  # above 1023, so that CoreDNS needs no capability
GATEWAY_MODULE = "sigs.k8s.io/gateway-api"  # pinned by go/go.mod and go/go.sum
UNPRIVILEGED_USER = 65532

# The node's TPU taint keeps away every pod without this toleration.
TOLERATIONS = [{"key": site.TPU_RESOURCE, "operator": "Exists", "effect": "NoSchedule"}]
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
    kubernetes {site.DNS_DOMAIN} in-addr.arpa {{
        pods insecure
    }}
    cache 5
}}
"""


def apply(api: Api) -> None:
    """Apply every object to the cluster; unchanged objects stay as they are. Raises Refusal."""
    for manifest in system():
        api.apply(manifest)
    for file in gateway_types():
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


def gateway_types() -> list[Path]:
    """Returns the files of Gateway API's CustomResourceDefinitions (standard channel), fetched once from its
    Go module."""
    folder = paths.toolchain() / f"gateway-api-{_gateway_version()}"
    if not folder.exists():
        with step(f"Gateway API {_gateway_version()}"):
            _fetch_gateway_types(folder)
    return sorted(folder.glob("gateway.networking.k8s.io_*.yaml"))


def _gateway_version() -> str:
    lines = (images.GO_FOLDER / "go.mod").read_text().splitlines()
    return next(line.split()[-1] for line in lines if GATEWAY_MODULE in line)


def _fetch_gateway_types(folder: Path) -> None:
    command = ["go", "mod", "download", "-json", GATEWAY_MODULE]
    try:
        answer = subprocess.run(command, cwd=images.GO_FOLDER, capture_output=True, text=True, check=False)
        download = json.loads(answer.stdout or "{}")
    except (FileNotFoundError, ValueError) as error:
        download = {"Error": str(error)}
    if "Dir" not in download:
        raise Refusal(
            f"The Gateway API types cannot be fetched ({download.get('Error', 'no answer')}): "
            f"`{' '.join(command)}` must work in {images.GO_FOLDER}, so make Go and its proxy available."
        )
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(Path(download["Dir"]) / "config" / "crd" / "standard", partial)
    partial.rename(folder)


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
    spec = {"clusterIP": site.DNS_SERVICE, "selector": {"k8s-app": "coredns"}, "ports": ports}
    return _object("v1", "Service", "kube-dns", spec=spec)


def _network_policies() -> dict[str, Any]:
    container = {
        "name": "kube-network-policies",
        "image": images.network_policies().reference,
        "imagePullPolicy": "Never",
        "args": [
            f"--hostname-override={site.NODE}",
            f"--nfqueue-id={site.POLICY_QUEUE}",
            f"--metrics-bind-address={site.LOOPBACK}:{site.POLICIES_METRICS_PORT}",
        ],
        "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {
            **CONFINED,
            "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]},
        },
    }
    pod = {"hostNetwork": True, "containers": [container]}
    return _workload("DaemonSet", "kube-network-policies", pod)
