"""How a program reaches a GKE cluster by its DNS name, as whoever runs the program."""

import json

import pulumi
import pulumi_gcp as gcp


def kubeconfig(cluster: gcp.container.Cluster) -> pulumi.Output[str]:
    """A kubeconfig with a plugin instead of a credential, so that the state holds no secret.

    No certificate authority: the DNS endpoint's certificate is one that everybody trusts, and the cluster's
    own authority would make it fail (github.com/crossplane-contrib/provider-upjet-gcp, issue 988).
    """
    endpoint = cluster.control_plane_endpoints_config.apply(
        lambda config: config.dns_endpoint_config.endpoint if config.dns_endpoint_config else None
    )
    # With the id, so that nothing is concluded while a preview shows the configuration that was asked for,
    # which has no name yet.
    return pulumi.Output.all(endpoint, cluster.id).apply(lambda both: _render(both[0]))


def _render(endpoint: str | None) -> str:
    if not endpoint:
        raise pulumi.RunError(
            "The cluster tells no DNS endpoint; enable it: "
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
