"""Calls that local/cluster makes to its own API server, as the administrator."""

import json
import ssl
from collections.abc import Mapping
from typing import Any, Self

import httpx

from local.cluster import constants, pki
from tools.support.progress import Refusal

FIELD_MANAGER = "tpuserve-local"
SECONDS = 10.0
# kind -> (API prefix, plural, whether it is namespaced), for the kinds that manifests.py uses.
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


class Failed(Refusal):
    """A failed call to the API server. Callers that can continue without the answer catch it."""


class Api:
    """Connection to the API server; use it as a context manager."""

    def __init__(self) -> None:
        # Create the TLS context here: httpx's default context reads the machine's CA bundle, which takes
        # longer than the calls.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(pki.certificate("ca"))
        context.load_cert_chain(pki.certificate("admin"), pki.key("admin"))
        self._client = httpx.Client(
            base_url=constants.api_url(), verify=context, timeout=SECONDS, trust_env=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str) -> Any:
        """Returns the object or list at `path`, or None when there is none. Raises Failed."""
        answer = self._call("GET", path)
        return None if answer.status_code == httpx.codes.NOT_FOUND else answer.json()

    def apply(self, manifest: Mapping[str, Any], body: bytes | None = None) -> None:
        """Apply server-side; `body` is the manifest's own text if there is one (YAML is accepted).

        Raises Failed.
        """
        kind, metadata = manifest["kind"], manifest["metadata"]
        prefix, plural, namespaced = KINDS[kind]
        namespace = f"/namespaces/{metadata['namespace']}" if namespaced else ""
        self._call(
            "PATCH",
            f"{prefix}{namespace}/{plural}/{metadata['name']}",
            params={"fieldManager": FIELD_MANAGER, "force": "true"},
            headers={"Content-Type": "application/apply-patch+yaml"},
            content=json.dumps(manifest) if body is None else body,
        )

    def patch_capacity(self, resource: str, count: int) -> None:
        """Set `count` of an extended resource as the node's capacity and allocatable. Raises Failed."""
        quantities = {resource: str(count)}
        self._call(
            "PATCH",
            f"/api/v1/nodes/{constants.NODE}/status",
            headers={"Content-Type": "application/merge-patch+json"},
            json={"status": {"capacity": quantities, "allocatable": quantities}},
        )

    def delete_pod(self, namespace: str, name: str, grace_seconds: int) -> None:
        """Delete one pod with this grace period; do nothing when it is gone. Raises Failed."""
        path = f"/api/v1/namespaces/{namespace}/pods/{name}"
        self._call("DELETE", path, params={"gracePeriodSeconds": grace_seconds})

    def _call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Returns a successful answer or a 404. Raises Failed for every other answer."""
        remedy = "see `python -m local.cluster logs kube-apiserver`, then run the same command again"
        try:
            answer = self._client.request(method, path, **options)
        except httpx.HTTPError as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise Failed(
                f"The local API server did not answer {method} {path} ({reason}): {remedy}."
            ) from None
        missing = answer.status_code == httpx.codes.NOT_FOUND and method != "PATCH"
        if answer.is_error and not missing:
            raise Failed(
                f"The local API server rejects {method} {path} ({answer.status_code}): {_message(answer)}; "
                f"{remedy}."
            )
        return answer


def _message(answer: httpx.Response) -> str:
    """Returns the message of a Kubernetes Status, or the answer's text."""
    try:
        return " ".join(str(answer.json()["message"]).split())
    except (ValueError, KeyError, TypeError):
        return " ".join(answer.text.split()) or "no reason given"
