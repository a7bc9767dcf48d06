"""The few calls that local/cluster makes to its own API server, as the administrator."""

import json
import ssl
from collections.abc import Mapping
from typing import Any, Self

import httpx

from local.cluster import pki, site
from local.progress import Refusal

FIELD_MANAGER = "tpuserve-local"
SECONDS = 10.0
# kind -> (API prefix, plural, whether it lives in a namespace); the kinds that manifests.py uses.
KINDS = {
    "ConfigMap": ("/api/v1", "configmaps", True),
    "Service": ("/api/v1", "services", True),
    "ServiceAccount": ("/api/v1", "serviceaccounts", True),
    "Deployment": ("/apis/apps/v1", "deployments", True),
    "DaemonSet": ("/apis/apps/v1", "daemonsets", True),
    "ClusterRole": ("/apis/rbac.authorization.k8s.io/v1", "clusterroles", False),
    "ClusterRoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "clusterrolebindings", False),
    "CustomResourceDefinition": ("/apis/apiextensions.k8s.io/v1", "customresourcedefinitions", False),
}


class Api:
    """A connection to the API server; use it as a context manager."""

    def __init__(self) -> None:
        # TLS contexts are made by hand: httpx's own would read the machine's CA bundle, which takes longer
        # than the calls.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(pki.certificate("ca"))
        context.load_cert_chain(pki.certificate("admin"), pki.key("admin"))
        self._client = httpx.Client(base_url=site.api_url(), verify=context, timeout=SECONDS, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str) -> Any:
        """The object or list at `path`; None when there is none. Raises httpx.HTTPError."""
        answer = self._client.get(path)
        return None if answer.status_code == httpx.codes.NOT_FOUND else answer.raise_for_status().json()

    def apply(self, manifest: Mapping[str, Any], body: bytes | None = None) -> None:
        """Server-side apply; `body` is the manifest's own text where that exists (YAML is accepted)."""
        kind, metadata = manifest["kind"], manifest["metadata"]
        prefix, plural, namespaced = KINDS[kind]
        namespace = f"/namespaces/{metadata['namespace']}" if namespaced else ""
        answer = self._client.patch(
            f"{prefix}{namespace}/{plural}/{metadata['name']}",
            params={"fieldManager": FIELD_MANAGER, "force": "true"},
            headers={"Content-Type": "application/apply-patch+yaml"},
            content=json.dumps(manifest) if body is None else body,
        )
        if answer.is_error:
            raise Refusal(f"The local API server refuses {kind} {metadata['name']}: {answer.text}")

    def patch_capacity(self, resource: str, count: int) -> None:
        """Declare `count` of an extended resource on the node, capacity and allocatable."""
        quantities = {resource: str(count)}
        self._client.patch(
            f"/api/v1/nodes/{site.NODE}/status",
            headers={"Content-Type": "application/merge-patch+json"},
            json={"status": {"capacity": quantities, "allocatable": quantities}},
        ).raise_for_status()

    def delete_pod(self, namespace: str, name: str, grace_seconds: int) -> None:
        """Ask for the end of one pod; quiet when it is gone."""
        answer = self._client.delete(
            f"/api/v1/namespaces/{namespace}/pods/{name}", params={"gracePeriodSeconds": grace_seconds}
        )
        if answer.status_code != httpx.codes.NOT_FOUND:
            answer.raise_for_status()
