"""Command lines of etcd, the API server, the controller manager and the scheduler."""

import json

from local.cluster import constants, kubeconfigs, pki
from local.cluster.processes import Daemon
from tools import toolchain
from tools.support import paths


def etcd_data() -> str:
    """Returns etcd's data folder: the whole state of the cluster, which `stop` keeps."""
    return str(paths.cluster() / "etcd")


def etcd() -> Daemon:
    """Describes etcd. It listens on sockets in a folder that only root enters, so it needs no port and no
    TLS."""
    # etcd requires a host and a port to advertise. Nothing listens there: it has no peers, and its only
    # client gets the socket.
    nobody = f"http://{constants.LOOPBACK}:0"
    return Daemon(
        name="etcd",
        argv=(
            str(toolchain.path("etcd")),
            f"--name={constants.NODE}",
            f"--data-dir={etcd_data()}",
            f"--listen-client-urls=unix://{constants.etcd_socket()}",
            f"--advertise-client-urls={nobody}",
            f"--listen-peer-urls=unix://{constants.runtime() / 'etcd-peers.sock'}",
            f"--initial-advertise-peer-urls={nobody}",
            f"--initial-cluster={constants.NODE}={nobody}",
            "--log-level=warn",
        ),
    )


def apiserver() -> Daemon:
    """Describes the API server. It listens on the bridge: pods use the `kubernetes` Service, this machine
    connects directly."""
    authentication = constants.configuration() / "authentication.json"
    return Daemon(
        name="kube-apiserver",
        argv=(
            str(toolchain.path("kube-apiserver")),
            f"--bind-address={constants.BRIDGE_ADDRESS}",
            f"--advertise-address={constants.BRIDGE_ADDRESS}",
            f"--secure-port={constants.API_PORT}",
            f"--etcd-servers=unix://{constants.etcd_socket()}",
            f"--service-cluster-ip-range={constants.SERVICE_SUBNET}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            f"--authentication-config={authentication}",
            f"--encryption-provider-config={kubeconfigs.encryption()}",
            f"--client-ca-file={pki.certificate('ca')}",
            f"--tls-cert-file={pki.certificate('apiserver')}",
            f"--tls-private-key-file={pki.key('apiserver')}",
            f"--kubelet-certificate-authority={pki.certificate('ca')}",
            f"--kubelet-client-certificate={pki.certificate('kubelet-client')}",
            f"--kubelet-client-key={pki.key('kubelet-client')}",
            "--kubelet-preferred-address-types=InternalIP",
            f"--service-account-issuer=https://kubernetes.default.svc.{constants.DNS_DOMAIN}",
            f"--service-account-key-file={pki.service_account_public_key()}",
            f"--service-account-signing-key-file={pki.key('service-accounts')}",
            "--profiling=false",
        ),
        files={authentication: json.dumps(_authentication(), indent=1)},
        inputs=(
            kubeconfigs.encryption(),
            pki.certificate("ca"),
            pki.certificate("apiserver"),
            pki.certificate("kubelet-client"),
            pki.service_account_public_key(),
        ),
    )


def _authentication() -> dict[str, object]:
    """Returns a configuration that rejects anonymous requests except health checks."""
    paths_allowed = [{"path": path} for path in ("/livez", "/readyz", "/healthz")]
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "anonymous": {"enabled": True, "conditions": paths_allowed},
    }


def controller_manager() -> Daemon:
    """Describes the controllers of Deployments, Jobs, EndpointSlices and the rest."""
    return Daemon(
        name="kube-controller-manager",
        argv=(
            str(toolchain.path("kube-controller-manager")),
            *_follower("controller-manager", constants.CONTROLLER_MANAGER_PORT),
            "--use-service-account-credentials=true",
            f"--service-account-private-key-file={pki.key('service-accounts')}",
            f"--root-ca-file={pki.certificate('ca')}",
        ),
        inputs=(
            pki.certificate("controller-manager"),
            pki.certificate("loopback-server"),
            pki.service_account_public_key(),
        ),
    )


def scheduler() -> Daemon:
    """Describes the scheduler, which binds pods to the node."""
    return Daemon(
        name="kube-scheduler",
        argv=(
            str(toolchain.path("kube-scheduler")),
            *_follower("scheduler", constants.SCHEDULER_PORT),
        ),
        inputs=(pki.certificate("scheduler"), pki.certificate("loopback-server")),
    )


def _follower(client: str, port: int) -> tuple[str, ...]:
    kubeconfig = kubeconfigs.kubeconfig(client)
    return (
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--leader-elect=false",
        f"--bind-address={constants.LOOPBACK}",
        f"--secure-port={port}",
        f"--tls-cert-file={pki.certificate('loopback-server')}",
        f"--tls-private-key-file={pki.key('loopback-server')}",
        f"--client-ca-file={pki.certificate('ca')}",
        # Only this cluster's CA authenticates clients of these ports; the cluster's own list names an
        # aggregation proxy that does not exist here.
        "--authentication-skip-lookup=true",
        "--profiling=false",
    )
