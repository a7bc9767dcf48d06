"""What a lab serves: the server's image and the certificates of the APIs."""

import hashlib
import io
import json
import shutil
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from local import paths
from local.image import constants
from tests.boot import cloud


def image(folder: Path, tree: Path, *, real: bool) -> str:
    """An OCI image of the machine's own Debian with a server in it; returns its digest."""
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)
    layer = _layer(tree)
    first = "/opt/vllm/bin" if real else "/usr/local/stand-in"
    environment = {
        "PATH": f"{first}:/usr/bin:/bin",
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={constants.CHIPS}",
        "TPU_ACCELERATOR_TYPE": constants.ACCELERATOR_TYPE,
        "TPU_NAME": "local",
        "TPU_WORKER_ID": "0",
        "TPUSERVE_CPU_HBM_BYTES": str(constants.HBM_BYTES),
        "HOME": "/tmp",
    }
    digest = f"sha256:{layer.name}"
    configuration = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": [f"{name}={value}" for name, value in environment.items()]},
        "rootfs": {"type": "layers", "diff_ids": [digest]},
    }
    (blobs / layer.name).symlink_to(layer)
    kind = "application/vnd.oci.image"
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{kind}.manifest.v1+json",
        "config": _blob(blobs, configuration, f"{kind}.config.v1+json"),
        "layers": [{"mediaType": f"{kind}.layer.v1.tar", "digest": digest, "size": layer.stat().st_size}],
    }
    described = _blob(blobs, manifest, f"{kind}.manifest.v1+json")
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [described]}))
    return described["digest"]


def _blob(blobs: Path, value: object, media_type: str) -> dict[str, Any]:
    data = json.dumps(value).encode()
    digest = hashlib.sha256(data).hexdigest()
    (blobs / digest).write_bytes(data)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}


def _layer(tree: Path) -> Path:
    """The one layer, named by its digest; made once for each tree and server."""
    server = (Path(__file__).parent / "server.py").read_bytes()
    key = hashlib.sha256(str(tree).encode() + server).hexdigest()[:12]
    folder = paths.home() / "machines" / f"layer-{key}"
    if not folder.exists():
        unfinished = folder.with_name("layer-unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        archive = unfinished / "layer.tar"

        def kept(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
            return None if entry.name.startswith(("./opt/", "./var/", "./usr/share/", "./dev/")) else entry

        with tarfile.open(archive, "w") as tar:
            tar.add(tree, ".", filter=kept)
            entry = tarfile.TarInfo("./usr/local/stand-in/vllm")
            entry.mode, entry.size = 0o755, len(server)
            tar.addfile(entry, io.BytesIO(server))
        with archive.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        archive.rename(unfinished / digest)
        unfinished.rename(folder)
    return next(folder.iterdir())


def certificates(folder: Path) -> str:
    """A certificate authority of a day and the APIs' certificate; returns the authority's."""
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
