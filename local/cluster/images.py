"""Images that never come from a registry: made here from one program each, or imported from archives."""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import oci, paths, toolchain
from local.cluster import site
from local.cluster.files import attempt, output
from local.progress import Refusal, run, step

NAMESPACE = "k8s.io"  # containerd's namespace of everything that the kubelet sees
GO_FOLDER = Path(__file__).resolve().parent / "go"
DOMAIN = "tpuserve.local"  # a registry that does not exist: these images are never pulled


@dataclass(frozen=True)
class ProgramImage:
    """An image that holds one static program at `/<name>`, which is its entry point."""

    name: str
    program: Path

    @property
    def reference(self) -> str:
        """Name and tag. The tag changes with the program's file, so that a rebuilt program is a new image."""
        about = self.program.stat()
        identity = f"{self.program}|{about.st_size}|{about.st_mtime_ns}"
        return f"{DOMAIN}/{self.name}:{hashlib.sha256(identity.encode()).hexdigest()[:12]}"


def pause() -> ProgramImage:
    """The image that holds each pod's namespaces; its program is built at the first call."""
    source = GO_FOLDER / "pause.go"
    version = hashlib.sha256(source.read_bytes()).hexdigest()[:12]
    program = paths.toolchain() / f"pause-{version}" / "pause"
    if not program.exists():
        partial = program.with_name("pause.partial")
        run(
            "build the pause program",
            ["go", "build", "-trimpath", "-ldflags=-s -w", "-o", partial, source],
            log="pause",
            env={"CGO_ENABLED": "0", "GO111MODULE": "off"},
            advice="It needs Go on PATH, as the cluster's other programs do.",
        )
        partial.replace(program)
    return ProgramImage("pause", program)


def coredns() -> ProgramImage:
    """The cluster's name server."""
    return ProgramImage("coredns", toolchain.path("coredns"))


def network_policies() -> ProgramImage:
    """The judge of NetworkPolicies."""
    return ProgramImage("kube-network-policies", toolchain.path("kube-network-policies"))


def ensure_program_images() -> None:
    """Have the cluster's own images in containerd."""
    present = listed()
    for image in (pause(), coredns(), network_policies()):
        if image.reference not in present:
            archive = paths.cluster() / f"{image.name}.oci.tar"
            with step(f"image of {image.name}"):
                write_program_image(image, archive)
                _import(archive)
            archive.unlink()


def listed() -> Mapping[str, str]:
    """Images in containerd: reference -> digest of what it names."""
    rows = (line.split() for line in _ctr("images", "list").splitlines()[1:])
    return {row[0]: row[2] for row in rows if len(row) > 2}


def import_image(archive: Path) -> None:
    """Have the images of an OCI archive in containerd; one that is there by name and digest is left alone.

    Raises Refusal when the file is not an OCI archive or the cluster does not run.
    """
    present = listed()
    wanted = contents(archive)
    if all(present.get(name) == digest for name, digest in wanted.items()):
        return
    with step(f"import {', '.join(wanted)}"):
        _import(archive)


def _import(archive: Path) -> None:
    _ctr("images", "import", "--snapshotter", "overlayfs", str(archive))


def _ctr(*arguments: str) -> str:
    if attempt("test", "-S", site.containerd_socket()).returncode != 0:
        raise Refusal("The local cluster does not run: start it with `python -m local.cluster start`.")
    return output(
        toolchain.path("ctr"),
        "--address",
        str(site.containerd_socket()),
        "--namespace",
        NAMESPACE,
        *arguments,
    )


def contents(archive: Path) -> Mapping[str, str]:
    """Images that an OCI archive holds: reference -> digest. Refusal when it is none."""
    try:
        with tarfile.open(archive) as tar:
            member = tar.extractfile("index.json")
            if member is None:
                raise KeyError("index.json")
            manifests: list[dict[str, Any]] = json.load(member)["manifests"]
        found: dict[str, str] = {}
        for manifest in manifests:
            notes = manifest["annotations"]
            name = notes.get("io.containerd.image.name") or notes["org.opencontainers.image.ref.name"]
            found[name] = manifest["digest"]
        return found
    except (OSError, tarfile.TarError, KeyError, ValueError) as error:
        raise Refusal(
            f"{archive} is not an OCI image archive with a named image ({error!r}): build it again."
        ) from None


def write_program_image(image: ProgramImage, archive: Path) -> None:
    """Write an OCI archive of `image`: one layer with the program, and that as the entry point."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        oci.add(tar, image.name, image.program.read_bytes(), 0o755)
    oci.write(archive, image.reference, layer.getvalue(), {"Entrypoint": [f"/{image.name}"]})
