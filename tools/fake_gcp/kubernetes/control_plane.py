"""Kubernetes control plane without a node, for tests: the local cluster's programs, on loopback.

etcd, API server, controller manager, scheduler and KWOK run in their own folder and on their own ports, so
they run beside the local cluster and need no root. The nodes come from `tools.fake_gcp.kubernetes.nodes`.
"""

import base64
import datetime
import ipaddress
import json
import os
import socket
import ssl
import subprocess
import time
import urllib.request
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tools import toolchain

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok", "kubectl")
READY_SECONDS = 300.0
DAYS = datetime.timedelta(days=2)
LOOPBACK = "127.0.0.1"
STAGES = Path(__file__).parent / "stages.yaml"
CONTEXT = "standin"


def free_ports(count: int) -> list[int]:
    """Returns ports that nothing listens on now."""
    sockets = [socket.create_server((LOOPBACK, 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class ControlPlane:
    """Control plane whose state is in `folder`; `kubeconfig` is its administrator's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kubeconfig = folder / "kubeconfig"
        self.processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "ControlPlane":
        toolchain.ensure(*PROGRAMS)
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self.processes):  # one by one: each needs the earlier ones to exit cleanly
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()

    def _start(self) -> None:
        store, peers, api, manager, scheduler, kwok = free_ports(6)
        self._certificates(api)
        self._run(
            "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls=http://{LOOPBACK}:{store}",
            f"--advertise-client-urls=http://{LOOPBACK}:{store}",
            f"--listen-peer-urls=http://{LOOPBACK}:{peers}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        )
        self._run(
            "kube-apiserver",
            f"--bind-address={LOOPBACK}",
            f"--secure-port={api}",
            f"--etcd-servers=http://{LOOPBACK}:{store}",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--authorization-mode=RBAC",
            # GKE's add-ons create their own service accounts; pods of a test need none.
            "--disable-admission-plugins=ServiceAccount",
            f"--client-ca-file={self.folder / 'ca.crt'}",
            f"--tls-cert-file={self.folder / 'server.crt'}",
            f"--tls-private-key-file={self.folder / 'server.key'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self.folder / 'server.crt'}",
            f"--service-account-signing-key-file={self.folder / 'server.key'}",
        )
        self._await(api)
        follow = (f"--kubeconfig={self.kubeconfig}", "--leader-elect=false", f"--bind-address={LOOPBACK}")
        self._run(
            "kube-controller-manager",
            *follow,
            f"--secure-port={manager}",
            f"--root-ca-file={self.folder / 'ca.crt'}",
            f"--service-account-private-key-file={self.folder / 'server.key'}",
        )
        self._run("kube-scheduler", *follow, f"--secure-port={scheduler}")
        self._run(
            "kwok",
            f"--kubeconfig={self.kubeconfig}",
            "--manage-all-nodes=false",
            "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
            "--node-lease-duration-seconds=40",
            f"--server-address={LOOPBACK}:{kwok}",
            f"--config={STAGES}",
        )

    def _run(self, program: str, *flags: str) -> None:
        with (self.folder / f"{program}.log").open("wb") as log:
            self.processes.append(
                subprocess.Popen(
                    [str(toolchain.path(program)), *flags],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, "HOME": str(self.folder)},
                    start_new_session=True,
                )
            )

    def _await(self, port: int) -> None:
        context = ssl.create_default_context(cafile=str(self.folder / "ca.crt"))
        context.load_cert_chain(self.folder / "admin.crt", self.folder / "admin.key")
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            assert all(process.poll() is None for process in self.processes), self._tail()
            try:
                url = f"https://{LOOPBACK}:{port}/readyz"
                with urllib.request.urlopen(url, context=context, timeout=30) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.2)
        raise AssertionError(f"the API server is not ready after {READY_SECONDS:.0f} s:\n{self._tail()}")

    def _tail(self) -> str:
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"{log.name}: {log.read_text('utf-8', 'replace')[-2000:]}" for log in logs)

    def kubectl(self, *words: str, text: str | None = None) -> str:
        """Returns kubectl's output, with `text` as its input; fails the test when kubectl fails."""
        done = subprocess.run(
            [str(toolchain.path("kubectl")), f"--kubeconfig={self.kubeconfig}", *words],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _certificates(self, port: int) -> None:
        """Create an authority, the server's certificate, the administrator's, and the kubeconfig with
        them."""
        authority, authority_key = _certificate("standin-ca", "", None)
        files = {"ca.crt": _pem(authority)}
        for name, group in (("server", ""), ("admin", "system:masters")):
            made, key = _certificate(name, group, (authority, authority_key))
            files |= {f"{name}.crt": _pem(made), f"{name}.key": _key_pem(key)}
        for name, text in files.items():
            (self.folder / name).write_bytes(text)
        cluster = {
            "server": f"https://{LOOPBACK}:{port}",
            "certificate-authority-data": _b64(files["ca.crt"]),
        }
        user = {
            "client-certificate-data": _b64(files["admin.crt"]),
            "client-key-data": _b64(files["admin.key"]),
        }
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": CONTEXT,
            "clusters": [{"name": CONTEXT, "cluster": cluster}],
            "users": [{"name": CONTEXT, "user": user}],
            "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT}}],
        }
        self.kubeconfig.write_text(json.dumps(config, indent=1), encoding="utf-8")


def _b64(text: bytes) -> str:
    return base64.b64encode(text).decode()


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _certificate(
    name: str, group: str, issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Returns a certificate for loopback signed by `issuer`, or a self-signed authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    parts += [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)] if group else []
    subject, now = x509.Name(parts), datetime.datetime.now(datetime.UTC)
    addresses = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(LOOPBACK))]
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + DAYS)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key((issuer[1] if issuer else key).public_key()),
            critical=False,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256()), key
