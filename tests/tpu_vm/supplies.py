"""Files that a lab serves: the server's image and the certificates of the APIs."""

import io
import json
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from local import image as local_image
from local.image import constants
from local.image import image as built
from tests.tpu_vm import cloud
from tools.support import oci_archive


def image(folder: Path, *, real: bool) -> str:
    """Unpack the local server's image into `folder`; return its digest.

    Unless `real`, tests/tpu_vm/server.py precedes vLLM on the PATH.
    """
    if real:
        local_image.ensure_image()
        archive = local_image.archive()
    else:
        archive = folder.with_suffix(".tar")
        server = (Path(__file__).parent / "server.py").read_bytes()
        data = io.BytesIO(built.layer(built.host_files(local_image.ensure_environment())))
        with tarfile.open(fileobj=data, mode="a") as tar:
            oci_archive.add(tar, "opt/stand-in/vllm", server, 0o755)
        configuration = built.configuration()
        path = f"PATH=/opt/stand-in:{constants.PYTHON_ROOT}/bin:/bin"
        oci_archive.write(archive, "stand-in", data.getvalue(), {**configuration, "Env": [path]})
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return json.loads((folder / "index.json").read_text())["manifests"][0]["digest"]


def certificates(folder: Path) -> str:
    """Create a certificate authority valid for a day and the APIs' certificate; return the authority's."""
    folder.mkdir()
    now = datetime.now(UTC)

    def issue(name: str, names: tuple[str, ...], issuer: Any, key: Any, signer: Any) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer or subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
        )
        if names:
            alternatives = x509.SubjectAlternativeName([x509.DNSName(each) for each in names])
            builder = builder.add_extension(alternatives, critical=False)
        return builder.sign(signer, hashes.SHA256())

    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = issue("A day's authority", (), None, authority_key, authority_key)
    certificate = issue("apis", cloud.API_NAMES, authority.subject, key, authority_key)
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "server.pem").write_bytes(secret + certificate.public_bytes(pem))
    return authority.public_bytes(pem).decode()
