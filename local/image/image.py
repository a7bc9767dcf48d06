"""The server's container image: what the mounted Python is linked with, and ENV. 16 MB.

The Python tree itself is no layer: the node mounts it at `constants.PYTHON_ROOT`, as a GKE TPU node brings
libtpu. The libraries are this machine's own, since the interpreter in the tree is: no distribution's
packages could fit it better, and nothing is downloaded.
"""

import hashlib
import io
import json
import re
import subprocess
import tarfile
from pathlib import Path

from local import oci, paths
from local.image import constants
from local.image.environment import ensure_environment, environment
from local.progress import Refusal, exclusive, step
from serving.deploy import container_layout

ENVIRONMENT = {
    "PATH": f"{constants.PYTHON_ROOT}/bin:/bin",
    "LANG": "C.UTF-8",
    # The stand-in for four chips; the Deployment is the one that a real slice gets and says nothing of it.
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": f"--xla_force_host_platform_device_count={constants.CHIPS}",
    "TPUSERVE_CPU_HBM_BYTES": str(constants.HBM_BYTES),
    # Asked of the TPU VM's metadata server unless they are set.
    "TPU_ACCELERATOR_TYPE": constants.ACCELERATOR_TYPE,
    "TPU_NAME": "local",
    "TPU_WORKER_ID": "0",
    "TPU_SKIP_MDS_QUERY": "1",
}
"""What this machine lacks, and nothing else: what the server needs of any image, the workload must bring."""

FILES = {
    # As in Google's image, the server's user has no name here.
    "etc/passwd": "root:x:0:0:root:/:/bin/sh\n",
    "etc/group": "root:x:0:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}

FOLDERS = ("dev", "proc", "sys", "tmp", "opt/vllm", "opt/tpuserve", "models", "var/cache/tpuserve")
"""Empty; where something is mounted."""

COUNTED_ON = (
    *("libstdc++.so.6", "libgcc_s.so.1", "libgomp.so.1", "libz.so.1"),
    *("libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1", "libresolv.so.2"),
    *("libnss_dns.so.2", "libnss_files.so.2"),
)
"""Libraries that wheels may expect of any Linux (the manylinux rules), and how glibc finds hosts."""

RESOLVED = re.compile(r"^\s*(?:(\S+) => )?(/\S+) \(0x", re.MULTILINE)
"""One line of ldd: a name and where it was found, or the loader alone."""


def reference() -> str:
    """Name and tag. The tag is a digest of what this module writes and of the mounted Python tree: what runs
    is both."""
    inputs = [ENVIRONMENT, FILES, FOLDERS, COUNTED_ON, container_layout.USER, environment().name]
    return f"{constants.IMAGE_NAME}:{hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:12]}"


def archive() -> Path:
    """Where the image's OCI archive is or will be."""
    return paths.home() / "images" / f"{reference().rpartition(':')[2]}.oci.tar"


def ensure_image() -> str:
    """Write the image's archive unless it is there with this machine's libraries; its reference.

    Safe to interrupt and to run twice at once. Raises Refusal when this machine lacks a library that the
    server needs.
    """
    tree = ensure_environment()
    with exclusive("image"):
        found = host_files(tree)
        seen = {str(place): (place.stat().st_size, place.stat().st_mtime_ns) for place in found.values()}
        inputs = json.dumps(seen, sort_keys=True)
        mark = archive().with_suffix(".inputs")
        if not (archive().is_file() and mark.is_file() and mark.read_text() == inputs):
            with step("writing the server's image"):
                archive().parent.mkdir(parents=True, exist_ok=True)
                unfinished = archive().with_suffix(".unfinished")
                oci.write(unfinished, reference(), layer(found), configuration())
                unfinished.replace(archive())
                mark.write_text(inputs)
    return reference()


def configuration() -> dict[str, object]:
    """What the image says of its container."""
    return {
        "Cmd": ["vllm", "serve", f"/models/{constants.MODEL_NAME}"],
        "Env": [f"{name}={value}" for name, value in ENVIRONMENT.items()],
        "User": f"{container_layout.USER}:{container_layout.USER}",
        "WorkingDir": "/",
    }


def host_files(tree: Path) -> dict[str, Path]:
    """Path in the image -> file of this machine: the shell and every library that the tree needs."""
    python = tree / "bin" / "python3.12"
    modules = sorted((tree / "lib" / "python3.12" / "lib-dynload").glob("*.so"))
    programs = [python, *modules, *sorted((tree / "lib").glob("libpython*")), Path("/bin/sh").resolve()]
    linked = ldd(*programs)
    folder = Path(linked["libc.so.6"]).parent
    for name in COUNTED_ON:
        linked.setdefault(name, str(folder / name))
    missing = [name for name, place in linked.items() if not Path(place).is_file()]
    if missing:
        raise Refusal(
            f"The server's image needs {', '.join(missing)}, which this machine does not have in {folder}. "
            "Install them (Debian's packages: libstdc++6, libgcc-s1, libgomp1, zlib1g) and run again."
        )
    linked |= ldd(*(Path(place) for place in linked.values()))
    files = {"bin/sh": Path("/bin/sh").resolve()}
    for place in linked.values():
        if not Path(place).is_relative_to(tree):
            # Beside the C library, where the loader looks by itself; the loader where programs name it.
            home = place if Path(place).name.startswith("ld-") else str(folder / Path(place).name)
            files[home.lstrip("/")] = Path(place).resolve()
    return files


def ldd(*programs: Path) -> dict[str, str]:
    """Name -> path of every library that the programs are linked with, directly or not."""
    try:
        told = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        raise Refusal(
            "`ldd` is not on this machine (Debian's package: libc-bin); install it and run again."
        ) from None
    absent = sorted({line.split()[0] for line in told.splitlines() if line.endswith("not found")})
    if absent:
        raise Refusal(
            f"The Python for the server needs {', '.join(absent)}, which this machine does not have."
        )
    return {name or Path(place).name: place for name, place in RESOLVED.findall(told)}


def layer(files: dict[str, Path]) -> bytes:
    """The image's one layer as a tar whose bytes depend on nothing but names and contents."""
    held = io.BytesIO()
    contents = {name: text.encode() for name, text in FILES.items()}
    contents |= {name: place.read_bytes() for name, place in files.items()}
    folders = {*FOLDERS}
    folders |= {str(parent) for name in (*contents, *FOLDERS) for parent in Path(name).parents}
    with tarfile.open(fileobj=held, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(folders - {"."}):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(entry)
        for name, content in sorted(contents.items()):
            oci.add(tar, name, content, 0o644 if name in FILES else 0o755)
    return held.getvalue()
