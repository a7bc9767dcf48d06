"""The server's container image: the libraries that the mounted Python needs, an unprivileged user, and ENV.

The Python tree itself is no layer: the node mounts it at `constants.PYTHON_ROOT`, as a GKE TPU node brings
libtpu. So the image is small, and its name still changes with the tree, because what runs is both.
"""

import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path

from local import oci, paths, toolchain
from local.image import constants
from local.image.environment import environment
from local.progress import Refusal, exclusive, run

NAME = "tpuserve.local/vllm-tpu"
USER = 1000

# What the interpreter and the wheels of the tree are linked with (`ldd` over its files, a test repeats
# it), a shell for `kubectl exec`, and time zones.
PACKAGES = (
    "coreutils",
    "dash",
    "libbz2-1.0",
    "libc6",
    "libffi8",
    "libgcc-s1",
    "libgomp1",
    "liblzma5",
    "libnuma1",
    "libreadline8",
    "libsqlite3-0",
    "libssl3",
    "libstdc++6",
    "libtinfo6",
    "libuuid1",
    "tzdata",
    "zlib1g",
)

ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "HOME": "/tmp",
    "JAX_PLATFORMS": "cpu",
    "PATH": f"{constants.PYTHON_ROOT}/bin:/usr/bin:/bin",
    # Everything that the libraries would write below HOME; the container's root is read-only.
    "XDG_CACHE_HOME": "/tmp/cache",
    "XLA_FLAGS": f"--xla_force_host_platform_device_count={constants.CHIPS}",
    # Without these the library asks the metadata server of a TPU VM.
    "TPU_ACCELERATOR_TYPE": constants.ACCELERATOR_TYPE,
    "TPU_NAME": "local",
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_WORKER_ID": "0",
    "TPUSERVE_CPU_HBM_BYTES": str(constants.HBM_BYTES),
}


def reference() -> str:
    """Name and tag. The tag is a digest of everything that goes in, the mounted Python tree included."""
    inputs = [ENVIRONMENT, PACKAGES, USER, environment().name, _release(), Path(__file__).read_text("utf-8")]
    return f"{NAME}:{hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:12]}"


def archive() -> Path:
    """Where the image's OCI archive is or will be."""
    return paths.environments() / "images" / f"{reference().rsplit(':', 1)[1]}.oci.tar"


def ensure_image() -> str:
    """Make the archive unless it is there, and return its reference. Safe to interrupt and to run twice.

    Raises Refusal when this is no Debian-like system, or a package cannot be had.
    """
    target = archive()
    if target.exists():
        return reference()
    toolchain.ensure("mmdebstrap")
    with exclusive("image"):
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            root = target.with_suffix(".root.tar")
            run(
                "collecting the image's Debian packages",
                [
                    toolchain.path("mmdebstrap"),
                    "--variant=extract",
                    f"--include={','.join(PACKAGES)}",
                    _release(),
                    root,
                ],
                log="image",
                # The archive's times are fixed, so that the same packages give the same image.
                env={"SOURCE_DATE_EPOCH": "0"},
                advice="It takes packages from this machine's own Debian sources; `apt-get update` shows "
                "whether they answer.",
            )
            partial = target.with_suffix(".partial")
            oci.write(partial, reference(), _layer(root), _configuration())
            root.unlink()
            partial.rename(target)
    return reference()


def _layer(root: Path) -> bytes:
    """The packages' files, and behind them the user and the mount points."""
    layer = io.BytesIO(root.read_bytes())
    with tarfile.open(fileobj=layer, mode="a") as tar:
        oci.add(tar, "etc/passwd", f"server:x:{USER}:{USER}::/tmp:/bin/sh\n".encode())
        oci.add(tar, "etc/group", f"server:x:{USER}:\n".encode())
        for folder in (constants.PYTHON_ROOT, "/tmp", "/models"):
            entry = tarfile.TarInfo(folder.strip("/"))
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
    return layer.getvalue()


def _configuration() -> dict[str, object]:
    return {"Env": [f"{name}={value}" for name, value in ENVIRONMENT.items()], "User": f"{USER}:{USER}"}


def _release() -> str:
    """Code name of this machine's Debian release, whose packages match the copied interpreter."""
    try:
        return platform.freedesktop_os_release()["VERSION_CODENAME"]
    except (OSError, KeyError):
        raise Refusal(
            "The server's image is made from Debian packages, and this system names no Debian release: use "
            "Debian or Ubuntu, or point target.kubeconfig at a cluster that has the image."
        ) from None
