"""OCI image archive with one layer, written by the specification, so that no image builder is needed.

https://github.com/opencontainers/image-spec; the same layer and configuration give the same digest.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_KIND = "application/vnd.oci.image"


def write(archive: Path, reference: str, layer: bytes, configuration: Mapping[str, Any]) -> None:
    """Write `archive` with one amd64 image named `reference`: an uncompressed tar as its only layer, and
    `configuration` as what the specification calls `config` (Env, Entrypoint, User …)."""
    described = _encode(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": dict(configuration),
            "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
        }
    )
    manifest = _encode(
        {
            "schemaVersion": 2,
            "mediaType": f"{_KIND}.manifest.v1+json",
            "config": _descriptor(f"{_KIND}.config.v1+json", described),
            "layers": [_descriptor(f"{_KIND}.layer.v1.tar", layer)],
        }
    )
    named = _descriptor(f"{_KIND}.manifest.v1+json", manifest)
    named["annotations"] = {"io.containerd.image.name": reference}
    index = _encode({"schemaVersion": 2, "manifests": [named]})
    with tarfile.open(archive, mode="w") as tar:
        add(tar, "oci-layout", _encode({"imageLayoutVersion": "1.0.0"}))
        add(tar, "index.json", index)
        for blob in (layer, described, manifest):
            add(tar, f"blobs/sha256/{digest(blob).removeprefix('sha256:')}", blob)


def digest(content: bytes) -> str:
    """Returns the digest as OCI writes it: `sha256:` and 64 hexadecimal digits."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def add(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    """Add a file that belongs to root and has no time stamp, so that the same content gives the same
    archive."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))


def _encode(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest(content), "size": len(content)}
