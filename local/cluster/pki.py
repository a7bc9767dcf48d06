"""Keys and certificates: created by the first start, and renewed by later starts when needed.

A certificate is kept when it parses, belongs to its key, was signed by the present CA, names exactly the
required subject and addresses, and is valid for 30 more days. Otherwise it is created again. So a
half-written folder, a folder from another CA and an old folder need no special cases.
"""

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from local.cluster import constants
from tools.support.atomic_file import write

CA_DAYS = 3650
LEAF_DAYS = 365
RENEW_DAYS = 30
CLOCK_SKEW = datetime.timedelta(minutes=5)
CA_NAME = "tpuserve-local-ca"


@dataclass(frozen=True)
class Leaf:
    """One certificate. `names`: DNS names and IP addresses of a server; empty for a client."""

    name: str
    common_name: str
    organization: str = ""
    names: tuple[str, ...] = ()


# The API server's RBAC bootstrap policy grants these subjects their rights; see
# https://kubernetes.io/docs/reference/access-authn-authz/rbac/#default-roles-and-role-bindings
CLIENTS = (
    Leaf("admin", "tpuserve-admin", "system:masters"),
    Leaf("controller-manager", "system:kube-controller-manager"),
    Leaf("scheduler", "system:kube-scheduler"),
    Leaf("kube-proxy", "system:kube-proxy"),
    Leaf("kubelet", f"system:node:{constants.NODE}", "system:nodes"),
)
# Name under which the API server calls the kubelet; manifests.py binds it to system:kubelet-api-admin.
KUBELET_CLIENT = "tpuserve:kubelet-client"
LEAVES = (
    *CLIENTS,
    Leaf("kubelet-client", KUBELET_CLIENT),
    Leaf(
        "apiserver",
        "kube-apiserver",
        names=(
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            f"kubernetes.default.svc.{constants.DNS_DOMAIN}",
            constants.BRIDGE_ADDRESS,
            constants.KUBERNETES_SERVICE,
        ),
    ),
    Leaf("kubelet-server", constants.NODE, names=(constants.NODE, constants.BRIDGE_ADDRESS)),
    Leaf("loopback-server", "loopback", names=("localhost", constants.LOOPBACK)),
)


def certificate(name: str) -> Path:
    """Returns the path of certificate `name` (`ca` for the authority)."""
    return constants.pki() / f"{name}.crt"


def key(name: str) -> Path:
    """Returns the path of private key `name` (`service-accounts` signs the pods' tokens)."""
    return constants.pki() / f"{name}.key"


def service_account_public_key() -> Path:
    """Returns the path of the key with which the API server checks pods' tokens."""
    return constants.pki() / "service-accounts.pub"


def ensure() -> None:
    """Create or renew every key and certificate. Idempotent; safe to interrupt."""
    constants.pki().mkdir(parents=True, exist_ok=True, mode=0o700)
    constants.pki().chmod(0o700)
    authority, authority_key = _ensure_authority()
    _ensure_service_account_key()
    for leaf in LEAVES:
        if not _valid(leaf, authority):
            _issue(leaf, authority, authority_key)


def trusted_since() -> datetime.datetime:
    """Returns when the CA or the pods' token-signing key last changed; older pods trust other keys."""
    changed = max(file.stat().st_mtime for file in (certificate("ca"), service_account_public_key()))
    return datetime.datetime.fromtimestamp(changed, datetime.UTC)


def _load_key(file: Path) -> ec.EllipticCurvePrivateKey | None:
    try:
        loaded = serialization.load_pem_private_key(file.read_bytes(), password=None)
    except (OSError, ValueError):
        return None
    return loaded if isinstance(loaded, ec.EllipticCurvePrivateKey) else None


def _write_key(file: Path) -> ec.EllipticCurvePrivateKey:
    private = ec.generate_private_key(ec.SECP256R1())
    write(
        file,
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )
    return private


def _public_pem(private: ec.EllipticCurvePrivateKey) -> bytes:
    return private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _load_certificate(file: Path) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(file.read_bytes())
    except (OSError, ValueError):
        return None


def _fresh(found: x509.Certificate, private: ec.EllipticCurvePrivateKey) -> bool:
    remaining = found.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    return remaining > datetime.timedelta(days=RENEW_DAYS) and found.public_key() == private.public_key()


def _ensure_authority() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    found, private = _load_certificate(certificate("ca")), _load_key(key("ca"))
    if found is not None and private is not None and _fresh(found, private):
        return found, private
    private = _write_key(key("ca"))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, CA_NAME)])
    built = (
        _builder(name, name, private, CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
        .sign(private, hashes.SHA256())
    )
    write(certificate("ca"), built.public_bytes(serialization.Encoding.PEM))
    return built, private


def _ensure_service_account_key() -> None:
    private = _load_key(key("service-accounts"))
    if private is None:
        private = _write_key(key("service-accounts"))
    public = _public_pem(private)
    write(service_account_public_key(), public)


def _subject(leaf: Leaf) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, leaf.common_name)]
    if leaf.organization:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, leaf.organization))
    return x509.Name(attributes)


def _alternatives(names: Sequence[str]) -> x509.SubjectAlternativeName:
    def general(name: str) -> x509.GeneralName:
        try:
            return x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            return x509.DNSName(name)

    return x509.SubjectAlternativeName([general(name) for name in names])


def _valid(leaf: Leaf, authority: x509.Certificate) -> bool:
    found, private = _load_certificate(certificate(leaf.name)), _load_key(key(leaf.name))
    if found is None or private is None or not _fresh(found, private) or found.subject != _subject(leaf):
        return False
    try:
        found.verify_directly_issued_by(authority)
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return not leaf.names
    except Exception:  # whatever is wrong with a signature, create the certificate again
        return False
    return names == _alternatives(leaf.names)


def _issue(leaf: Leaf, authority: x509.Certificate, authority_key: ec.EllipticCurvePrivateKey) -> None:
    private = _write_key(key(leaf.name))
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if leaf.names else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = (
        _builder(_subject(leaf), authority.subject, private, LEAF_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
        )
    )
    if leaf.names:
        builder = builder.add_extension(_alternatives(leaf.names), critical=False)
    signed = builder.sign(authority_key, hashes.SHA256())
    write(certificate(leaf.name), signed.public_bytes(serialization.Encoding.PEM))


def _builder(
    subject: x509.Name, issuer: x509.Name, private: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
