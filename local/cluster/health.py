"""Health checks that query each daemon and service directly instead of trusting recorded state."""

import socket
import ssl
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

from local.cluster import constants, pki

SECONDS = 2.0


def _answers(url: str) -> bool:
    """Returns whether `url` answers 200 with a certificate of the cluster's CA."""
    try:
        # Create the TLS context here: httpx's default context reads the machine's CA bundle, which takes
        # longer than the call.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(pki.certificate("ca"))
        return httpx.get(url, verify=context, timeout=SECONDS, trust_env=False).status_code == httpx.codes.OK
    except (httpx.HTTPError, OSError):
        return False


def _etcd() -> bool:
    try:
        transport = httpx.HTTPTransport(uds=str(constants.etcd_socket()), verify=False)  # a socket: no TLS
        with httpx.Client(transport=transport, timeout=SECONDS) as client:
            return client.get("http://etcd/health").status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _containerd() -> bool:
    """Returns whether containerd's socket accepts connections: it opens once the plugins are loaded."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(SECONDS)
        return connection.connect_ex(str(constants.containerd_socket())) == 0


def _dns() -> bool:
    """Returns whether the name server answers at its Service's address, which also checks kube-proxy's
    rules."""
    name = ("kubernetes", "default", "svc", *constants.DNS_DOMAIN.split("."))
    question = b"".join(bytes([len(label)]) + label.encode() for label in name) + b"\0"
    # RFC 1035, 4.1: one question, recursion desired; type A, class IN.
    query = struct.pack("!6H", 1, 0x0100, 1, 0, 0, 0) + question + struct.pack("!2H", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.settimeout(SECONDS)
        try:
            connection.connect((constants.DNS_SERVICE, 53))
            connection.send(query)
            return connection.recv(512).endswith(socket.inet_aton(constants.KUBERNETES_SERVICE))
        except OSError:
            return False


def _policies() -> bool:
    """Returns whether kube-network-policies filters packets: it binds its queue once it knows pods and
    policies."""
    try:
        queues = Path("/proc/net/netfilter/nfnetlink_queue").read_text().splitlines()
    except FileNotFoundError:
        return False
    return any(queue.split()[0] == str(constants.POLICY_QUEUE) for queue in queues)


SERVICES: Mapping[str, Callable[[], bool]] = {
    "DNS": _dns,
    "network policies": _policies,
}
"""Services in pods that must answer before the cluster counts as started."""

CHECKS: Mapping[str, Callable[[], bool]] = {
    "etcd": _etcd,
    "containerd": _containerd,
    "kube-apiserver": lambda: _answers(f"{constants.api_url()}/readyz"),
    "kube-controller-manager": lambda: _answers(
        f"https://{constants.LOOPBACK}:{constants.CONTROLLER_MANAGER_PORT}/healthz"
    ),
    "kube-scheduler": lambda: _answers(f"https://{constants.LOOPBACK}:{constants.SCHEDULER_PORT}/readyz"),
    "kubelet": lambda: _answers(f"http://{constants.LOOPBACK}:{constants.KUBELET_HEALTH_PORT}/healthz"),
    "kube-proxy": lambda: _answers(f"http://{constants.LOOPBACK}:{constants.PROXY_HEALTH_PORT}/livez"),
    # The bucket itself, so that a folder that was deleted under the process counts as unhealthy.
    "bucket": lambda: _answers(f"{constants.storage_url()}/storage/v1/b/{constants.BUCKET}"),
}
"""Health check of each daemon, by name."""
