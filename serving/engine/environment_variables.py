"""Environment variables that the packages of the server read, by name.

`known_names.json` is generated from the installed packages by `python -m tools.regenerate_known_names`, and
names the day and the versions. A test of the server's tier regenerates and compares it. It is read only
when extra_environment is used.
"""

import functools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from serving.messages.suggest import nearest, quoted
from serving.messages.unsupported_options import FOREIGN

NAMES_FILE = Path(__file__).parent / "known_names.json"

NATIVE: Mapping[str, str] = {
    "OMP_": "OpenMP, https://www.openmp.org/spec-html/5.2/openmpch21.html",
    "GOMP_": "GCC's OpenMP, https://gcc.gnu.org/onlinedocs/libgomp/Environment-Variables.html",
    "OPENBLAS_": "OpenBLAS of NumPy, https://github.com/OpenMathLib/OpenBLAS#setting-the-number-of-threads",
    "MALLOC_": "glibc, https://man7.org/linux/man-pages/man3/mallopt.3.html",
    "GRPC_": "gRPC, https://github.com/grpc/grpc/blob/master/doc/environment_variables.md",
    "RAYON_": "threads of tokenizers, https://docs.rs/rayon/latest/rayon/struct.ThreadPoolBuilder.html",
    "RUST_": "logs of Rust libraries, https://docs.rs/env_logger/latest/env_logger/#enabling-logging",
    "XLA_": "XLA, https://openxla.org/xla/flags_guidance",
    "LIBTPU_": "libtpu, https://openxla.org/xla/flags_guidance",
    "TPU_STDERR_LOG_LEVEL": "libtpu, https://cloud.google.com/tpu/docs/troubleshooting/trouble-jax",
    "TPU_MIN_LOG_LEVEL": "libtpu, https://cloud.google.com/tpu/docs/troubleshooting/trouble-jax",
    "TF_CPP_": "logs of XLA, https://docs.jax.dev/en/latest/debugging/flags.html",
    "TZ": "glibc, https://man7.org/linux/man-pages/man3/tzset.3.html",
    "LC_": "glibc, https://man7.org/linux/man-pages/man7/locale.7.html",
    "LANG": "glibc, https://man7.org/linux/man-pages/man7/locale.7.html",
}
"""Variables or their beginnings -> the library below Python that reads them, and where that is documented."""

WRITABLE = ("/tmp/", "/dev/shm/")
"""Folders that every server may write, and in which nothing is that the deployment needs."""

# Variables whose file must exist when the server starts, or whose library replaces one of the image.
_NAMES_A_FILE = re.compile(
    r"_(FILE|FOLDER|CONFIG_PATH|REDIRECT_PATH|SO_PATH|LIBRARY_PATH|MODULE_PATH|ADDRESSES_PATH|INCLUDE_PATH"
    r"|FRONTEND_PATH|COMPATIBILITY_PATH)$"
)

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET = re.compile(r"TOKEN(?!I|S)|API_?KEY|SECRET|PASSW|CREDENTIAL|ACCESS_KEY", re.IGNORECASE)


@functools.cache
def _file() -> Mapping[str, Any]:
    return json.loads(NAMES_FILE.read_text("utf-8"))


def read_on() -> str:
    """Returns the day on which the packages were read, as YYYY-MM-DD."""
    return _file()["read_on"]


@functools.cache
def known_names() -> Mapping[str, str]:
    """Returns variable -> Python package that reads it."""
    packages: dict[str, list[str]] = _file()["names"]
    return {name: package for package, names in packages.items() for name in names}


def is_read(name: str) -> bool:
    """Returns whether a package of the server, or a library below it, reads the variable."""
    return name in known_names() or name.startswith(tuple(NATIVE))


def nearest_variable(name: str) -> str | None:
    """Returns the known variable that `name` resembles; None when there is none."""
    return nearest(name, known_names(), cutoff=0.75)


def extra_environment_problem(name: str, value: str, fields: Mapping[str, str]) -> str | None:
    """Returns why this variable cannot be set, as a sentence without its end; None when it can.

    `fields` maps the variables that typed fields render to those fields. A variable that nothing reads is no
    problem here but a warning (serving/findings/environment.py).
    """
    if name in fields:
        return f"{name} has a field; set {fields[name]} instead"
    if name.lower() in FOREIGN:
        return f"{name}: {FOREIGN[name.lower()]}"
    if name.startswith("TPUSERVE_"):
        return f"{name}: the deployment sets it; remove it"
    if _SECRET.search(name):
        return f"{name} looks like a secret, which Pulumi's state would show; keep it in the secret store"
    if not _NAME.fullmatch(name):
        return f"{quoted(name)} cannot name a variable; write letters, digits and underscores"
    if value == "":
        return f"{name} is empty, which the server reads as a value; write one or remove it"
    return _path_problem(name, value)


def _path_problem(name: str, value: str) -> str | None:
    if _NAMES_A_FILE.search(name):
        return f"{name} names a file, and nothing brings one to the server; remove it"
    if value.startswith(("/", "~", "file:")) and not value.startswith(WRITABLE):
        return (
            f"{name} is {value}, and a variable may only name a folder in which the server can write; "
            f"choose one below {WRITABLE[0]}, which is empty at each start"
        )
    return None
