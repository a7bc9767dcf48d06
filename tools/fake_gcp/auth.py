"""`python -m tools.fake_gcp.auth`: prints what `gke-gcloud-auth-plugin` prints, for the fake cluster.

Kubernetes' clients run that program to log in to GKE; this one returns the certificate of the kubeconfig in
TPUSERVE_STANDIN_KUBECONFIG.
https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

import json
import os
import sys

from tools.fake_gcp.cloud.gke import VARIABLE
from tools.fake_gcp.kubernetes.nodes import Server

# gcloud writes this version into its kubeconfigs, and the real plugin answers only with it
# (github.com/kubernetes/cloud-provider-gcp, cmd/gke-gcloud-auth-plugin).
VERSION = "client.authentication.k8s.io/v1beta1"


def main() -> None:
    """Print an ExecCredential."""
    config = os.environ.get(VARIABLE)
    if not config:
        sys.exit(
            f"{VARIABLE} names no kubeconfig, so the fake cluster has no API server: set it to a kubeconfig."
        )
    server = Server.of(config)
    status = {
        "clientCertificateData": server.certificate.decode(),
        "clientKeyData": server.key.decode(),
    }
    print(json.dumps({"apiVersion": VERSION, "kind": "ExecCredential", "status": status}))


if __name__ == "__main__":
    main()
