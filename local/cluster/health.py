"""Whether each daemon answers, asked of the daemon itself; its names are those of the daemons."""

import socket
import ssl
from collections.abc import Callable, Mapping

import httpx

from local.cluster import pki, site

SECONDS = 2.0


def _answers(url: str) -> bool:
    """Whether `url` answers 200; a certificate must be of our CA."""
    try:
        # A context of our own: httpx's would read the machine's CA bundle, which takes longer than the call.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(pki.certificate("ca"))
        return httpx.get(url, verify=context, timeout=SECONDS, trust_env=False).status_code == httpx.codes.OK
    except (httpx.HTTPError, OSError):
        return False


def _etcd() -> bool:
    try:
        transport = httpx.HTTPTransport(uds=str(site.etcd_socket()))
        with httpx.Client(transport=transport, timeout=SECONDS) as client:
            return client.get("http://etcd/health").status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _containerd() -> bool:
    """containerd opens its socket when its plugins are loaded."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(SECONDS)
        return connection.connect_ex(str(site.containerd_socket())) == 0


CHECKS: Mapping[str, Callable[[], bool]] = {
    "etcd": _etcd,
    "containerd": _containerd,
    "kube-apiserver": lambda: _answers(f"{site.api_url()}/readyz"),
    "kube-controller-manager": lambda: _answers(
        f"https://{site.LOOPBACK}:{site.CONTROLLER_MANAGER_PORT}/healthz"
    ),
    "kube-scheduler": lambda: _answers(f"https://{site.LOOPBACK}:{site.SCHEDULER_PORT}/readyz"),
    "kubelet": lambda: _answers(f"http://{site.LOOPBACK}:{site.KUBELET_HEALTH_PORT}/healthz"),
    "kube-proxy": lambda: _answers(f"http://{site.LOOPBACK}:{site.PROXY_HEALTH_PORT}/livez"),
}
