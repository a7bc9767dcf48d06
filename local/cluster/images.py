"""Images that no registry serves: built here from one program each, or imported from archives."""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.cluster import constants
from local.cluster.system_commands import attempt, output
from tools import toolchain
from tools.support import oci_archive, paths
from tools.support.progress import Refusal, run, step

NAMESPACE = "k8s.io"  # containerd's namespace for everything that the kubelet sees
PAUSE = Path(__file__).resolve().parent / "pause.go"
DOMAIN = "tpuserve.local"  # a registry that does not exist: these images are never pulled


@dataclass(frozen=True)
class ProgramImage:
    """Image that holds one static program at `/<name>`, which is its entry point."""

    name: str
    program: Path

    @property
    def reference(self) -> str:
        """Returns name and tag. The tag changes with the program's file, so that a rebuilt program gets a new
        image."""
        stat = self.program.stat()
        identity = f"{self.program}|{stat.st_size}|{stat.st_mtime_ns}"
        return f"{DOMAIN}/{self.name}:{hashlib.sha256(identity.encode()).hexdigest()[:12]}"


def pause() -> ProgramImage:
    """Returns the image that holds each pod's namespaces; the first call builds its program."""
    version = hashlib.sha256(PAUSE.read_bytes()).hexdigest()[:12]
    program = paths.toolchain() / f"pause-{version}" / "pause"
    if not program.exists():
        partial = program.with_name("pause.partial")
        run(
            "build the pause program",
            ["go", "build", "-trimpath", "-ldflags=-s -w", "-o", partial, PAUSE],
            log="pause",
            env={"CGO_ENABLED": "0", "GO111MODULE": "off"},
            advice="It needs Go on PATH, like the cluster's other programs.",
        )
        partial.replace(program)
    return ProgramImage("pause", program)


def coredns() -> ProgramImage:
    """Returns the image of the cluster's name server."""
    return ProgramImage("coredns", toolchain.path("coredns"))


def network_policies() -> ProgramImage:
    """Returns the image that enforces NetworkPolicies."""
    return ProgramImage("kube-network-policies", toolchain.path("kube-network-policies"))


def ensure_program_images() -> None:
    """Import the cluster's own images into containerd unless they are there."""
    present = listed()
    for image in (pause(), coredns(), network_policies()):
        if image.reference not in present:
            archive = paths.cluster() / f"{image.name}.oci.tar"
            with step(f"image of {image.name}"):
                write_program_image(image, archive)
                _import(archive)
            archive.unlink()


def listed() -> Mapping[str, str]:
    """Returns the images in containerd: reference -> digest of what it names."""
    rows = (line.split() for line in _ctr("images", "list").splitlines()[1:])
    return {row[0]: row[2] for row in rows if len(row) > 2}


def import_image(archive: Path) -> None:
    """Import the images of an OCI archive into containerd, unless it has each by name and digest.

    Raises Refusal when the file is not an OCI archive or the cluster does not run.
    """
    present = listed()
    archived = contents(archive)
    if all(present.get(name) == digest for name, digest in archived.items()):
        return
    with step(f"import {', '.join(archived)}"):
        _import(archive)


def _import(archive: Path) -> None:
    _ctr("images", "import", "--snapshotter", "overlayfs", str(archive))


def _ctr(*arguments: str) -> str:
    if attempt("test", "-S", constants.containerd_socket()).returncode != 0:
        raise Refusal("The local cluster does not run: start it with `python -m local.cluster start`.")
    return output(
        toolchain.path("ctr"),
        "--address",
        str(constants.containerd_socket()),
        "--namespace",
        NAMESPACE,
        *arguments,
    )


def contents(archive: Path) -> Mapping[str, str]:
    """Returns the images in an OCI archive: reference -> digest. Raises Refusal when it is not one."""
    try:
        with tarfile.open(archive) as tar:
            member = tar.extractfile("index.json")
            if member is None:
                raise KeyError("index.json")
            manifests: list[dict[str, Any]] = json.load(member)["manifests"]
        digests: dict[str, str] = {}
        for manifest in manifests:
            annotations = manifest["annotations"]
            name = (
                annotations.get("io.containerd.image.name")
                or annotations["org.opencontainers.image.ref.name"]
            )
            digests[name] = manifest["digest"]
        return digests
    except (OSError, tarfile.TarError, KeyError, ValueError) as error:
        raise Refusal(
            f"{archive} is not an OCI image archive with a named image ({error!r}): build it again."
        ) from None


def write_program_image(image: ProgramImage, archive: Path) -> None:
    """Write an OCI archive of `image`: one layer with the program, which is also the entry point."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        oci_archive.add(tar, image.name, image.program.read_bytes(), 0o755)
    oci_archive.write(archive, image.reference, layer.getvalue(), {"Entrypoint": [f"/{image.name}"]})
