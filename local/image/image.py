"""The server's container image: the libraries that the mounted Python links to, and ENV. 16 MB.

The Python tree itself is not a layer: the node mounts it at `constants.PYTHON_ROOT`, as a GKE TPU node mounts
libtpu. The libraries come from this machine, because the tree's interpreter does too: no distribution's
packages could fit it better, and nothing is downloaded.
"""

import hashlib
import io
import json
import re
import subprocess
import tarfile
from pathlib import Path

from local.image import constants
from local.image.environment import WITHOUT_TPU, ensure_environment, environment
from serving.deploy import container_layout
from tools.support import oci_archive, paths
from tools.support.progress import Refusal, exclusive, step

HEAP = {"arena_max": 1, "mmap_max": 0, "trim_threshold": 1024**3, "hugetlb": 1}
"""Settings of glibc's memory allocator in the server."""

ENVIRONMENT = {
    "PATH": f"{constants.PYTHON_ROOT}/bin:/bin",
    "LANG": "C.UTF-8",
    # Only these variables select the simulated chips: the Deployment is the same as on a real slice.
    "XLA_FLAGS": f"--xla_force_host_platform_device_count={constants.CHIPS}",
    "VLLM_CACHE_ROOT": f"{constants.PYTHON_ROOT}/{constants.VLLM_CACHE}",
    # XLA allocates its buffers again in every step. By default glibc returns large ones to the kernel, which
    # clears each page when it is used again: two thirds of the processor time of a request. One heap that
    # stays, in huge pages where the machine has them, takes a third of the time.
    "GLIBC_TUNABLES": ":".join(f"glibc.malloc.{name}={value}" for name, value in HEAP.items()),
    **WITHOUT_TPU,
}
"""Variables that replace what this machine lacks. What the server needs of any image comes from the
workload."""

FILES = {
    # As in Google's image, the server's user has no name here.
    "etc/passwd": "root:x:0:0:root:/:/bin/sh\n",
    "etc/group": "root:x:0:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}

FOLDERS = ("dev", "proc", "sys", "tmp", "opt/vllm", "opt/tpuserve", "models", "var/cache/tpuserve")
"""Empty folders, which serve as mount points."""

COUNTED_ON = (
    *("libstdc++.so.6", "libgcc_s.so.1", "libgomp.so.1", "libz.so.1"),
    *("libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1", "libresolv.so.2"),
    *("libnss_dns.so.2", "libnss_files.so.2"),
)
"""Libraries that wheels may expect of any Linux (the manylinux rules), and glibc's host name lookup."""

RESOLVED = re.compile(r"^\s*(?:(\S+) => )?(/\S+) \(0x", re.MULTILINE)
"""One line of ldd: a name and its path, or only the loader's path."""


def reference() -> str:
    """Returns name and tag. The tag is a digest of this module's output and of the mounted Python tree,
    because the container runs both."""
    inputs = [ENVIRONMENT, FILES, FOLDERS, COUNTED_ON, container_layout.USER, environment().name]
    return f"{constants.IMAGE_NAME}:{hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:12]}"


def archive() -> Path:
    """Returns the path of the image's OCI archive, which may not exist yet."""
    return paths.home() / "images" / f"{reference().rpartition(':')[2]}.oci.tar"


def ensure_image() -> str:
    """Write the image's archive unless it exists with this machine's libraries; return its reference.

    Safe to interrupt and to run twice at once. Raises Refusal when this machine lacks a library that the
    server needs.
    """
    tree = ensure_environment()
    with exclusive("image"):
        libraries = host_files(tree)
        identities = {
            str(place): (place.stat().st_size, place.stat().st_mtime_ns) for place in libraries.values()
        }
        inputs = json.dumps(identities, sort_keys=True)
        inputs_file = archive().with_suffix(".inputs")
        if not (archive().is_file() and inputs_file.is_file() and inputs_file.read_text() == inputs):
            with step("writing the server's image"):
                archive().parent.mkdir(parents=True, exist_ok=True)
                unfinished = archive().with_suffix(".unfinished")
                oci_archive.write(unfinished, reference(), layer(libraries), configuration())
                unfinished.replace(archive())
                inputs_file.write_text(inputs)
    return reference()


def configuration() -> dict[str, object]:
    """Returns the image's container configuration."""
    return {
        "Cmd": ["vllm", "serve", f"/models/{constants.MODEL_NAME}"],
        "Env": [f"{name}={value}" for name, value in ENVIRONMENT.items()],
        "User": f"{container_layout.USER}:{container_layout.USER}",
        "WorkingDir": "/",
    }


def host_files(tree: Path) -> dict[str, Path]:
    """Returns path in the image -> file of this machine, for the shell and every library that the tree needs.
    Raises Refusal when this machine lacks one."""
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
            f"The server's image needs {', '.join(missing)}, which this machine does not have in {folder}: "
            "install them (Debian's packages: libstdc++6, libgcc-s1, libgomp1, zlib1g) and run again."
        )
    linked |= ldd(*(Path(place) for place in linked.values()))
    files = {"bin/sh": Path("/bin/sh").resolve()}
    for place in linked.values():
        if not Path(place).is_relative_to(tree):
            # Put libraries beside the C library, where the loader looks by default, and the loader where
            # programs name it.
            home = place if Path(place).name.startswith("ld-") else str(folder / Path(place).name)
            files[home.lstrip("/")] = Path(place).resolve()
    return files


def ldd(*programs: Path) -> dict[str, str]:
    """Returns name -> path of every library that the programs link to, directly or not. Raises Refusal when
    ldd is missing or reports a missing library."""
    try:
        listing = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        raise Refusal(
            "`ldd` is not on this machine: install it (Debian's package libc-bin) and run again."
        ) from None
    absent = sorted({line.split()[0] for line in listing.splitlines() if line.endswith("not found")})
    if absent:
        raise Refusal(
            f"The Python for the server needs {', '.join(absent)}, which this machine does not have."
        )
    return {name or Path(place).name: place for name, place in RESOLVED.findall(listing)}


def layer(files: dict[str, Path]) -> bytes:
    """Returns the image's only layer as a tar whose bytes depend only on names and contents."""
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
            oci_archive.add(tar, name, content, 0o644 if name in FILES else 0o755)
    return held.getvalue()
