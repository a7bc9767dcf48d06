"""Kubeconfig that reaches a GKE cluster by its DNS name, with the identity of the calling user."""

import json

import pulumi
import pulumi_gcp as gcp


def kubeconfig(cluster: gcp.container.Cluster) -> pulumi.Output[str]:
    """Returns a kubeconfig with a credential plugin and no credential, so that the state holds no secret.

    It names no certificate authority. The DNS endpoint has a publicly trusted certificate, which the
    cluster's own authority would reject (github.com/crossplane-contrib/provider-upjet-gcp, issue 988).
    Raises pulumi.RunError for a cluster without a DNS endpoint.
    """
    endpoint = cluster.control_plane_endpoints_config.apply(
        lambda config: config.dns_endpoint_config.endpoint if config.dns_endpoint_config else None
    )
    # The id is unknown in a preview of a new cluster. Waiting for it avoids an error there, because such a
    # preview shows the requested configuration, which has no endpoint yet.
    return pulumi.Output.all(endpoint, cluster.id).apply(lambda values: _render(values[0]))


def _render(endpoint: str | None) -> str:
    if not endpoint:
        raise pulumi.RunError(
            "The cluster has no DNS endpoint; enable it: "
            "gcloud container clusters update CLUSTER --location=LOCATION --enable-dns-access."
        )
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "gke", "cluster": {"server": f"https://{endpoint}"}}],
            "users": [
                {
                    "name": "caller",
                    "user": {
                        "exec": {
                            "apiVersion": "client.authentication.k8s.io/v1beta1",
                            "command": "gke-gcloud-auth-plugin",
                            "installHint": "Install it: gcloud components install gke-gcloud-auth-plugin",
                            "provideClusterInfo": True,
                            "interactiveMode": "Never",
                        }
                    },
                }
            ],
            "contexts": [{"name": "gke", "context": {"cluster": "gke", "user": "caller"}}],
            "current-context": "gke",
        }
    )
