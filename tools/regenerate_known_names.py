"""Regenerates known_names.json and known_flags.json: `python -m tools.regenerate_known_names ENVIRONMENT`.

ENVIRONMENT is the folder of the server's Python environment, with bin/python and the site-packages.
Variables are read from source text. Flags come from vLLM's own parser, in a process of that Python
(tools/server_flags.py).
"""

import ast
import datetime
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from serving.engine.environment_variables import NAMES_FILE
from serving.engine.server_flags import FLAGS_FILE

PACKAGES = ("vllm_tpu", "tpu_inference", "jax", "huggingface_hub")
"""Distributions whose versions the files name."""

_OURS = ("tpuserve_cpu_backend", "agent")
"""Packages of this project, which are in the environment of the tests and not in the image of a server."""

_NAME = r"([A-Z][A-Z0-9_]{2,})"
_READS = (
    # os.environ["X"], os.getenv("X"), env_bool("X", …) and the like.
    re.compile(r"""(?i:\b\w*env\w*(?:\.\w+)?)\s*[\[(]\s*["']""" + _NAME + """["']"""),
    # "X" in os.environ
    re.compile(r"""["']""" + _NAME + r"""["']\s+(?:not\s+)?in\s+(?:os\.)?environ"""),
    # X = "X", a constant that names a variable (OpenTelemetry).
    re.compile(r"^" + _NAME + r"""\s*=\s*["'](?=\1["'])""", re.MULTILINE),
)


def generate_names(site_packages: Path) -> dict[str, Any]:
    """Returns the content of known_names.json, without its date. Raises ValueError when a package is
    missing.
    """
    names: dict[str, set[str]] = {}
    for file in sorted(site_packages.rglob("*.py")):
        package = file.relative_to(site_packages).parts[0].removesuffix(".py")
        if package not in _OURS and "tests" not in file.parts:
            names.setdefault(package, set()).update(_read(file.read_text("utf-8", "replace")))
    names["vllm"] |= _declared(site_packages / "vllm" / "envs.py")
    names["tpu_inference"] |= _declared(site_packages / "tpu_inference" / "envs.py")
    names["jax"] |= set(_jax_options(site_packages / "jax" / "_src"))
    return {"versions": versions(site_packages), "names": _without_repeats(names)}


def _without_repeats(names: dict[str, set[str]]) -> dict[str, list[str]]:
    """Returns each name below one package: the server's own ones first, then by the alphabet."""
    first = ("vllm", "tpu_inference", "jax", "huggingface_hub")
    unique: dict[str, list[str]] = {}
    seen: set[str] = set()
    for package in (*first, *sorted(set(names) - set(first))):
        if names[package] - seen:
            unique[package] = sorted(names[package] - seen)
        seen |= names[package]
    return unique


def generate_flags(python: Path, site_packages: Path) -> dict[str, Any]:
    """Returns the content of known_flags.json."""
    lister = Path(__file__).with_name("server_flags.py")
    listed = subprocess.run([python, lister], capture_output=True, text=True, check=False, timeout=600)
    if listed.returncode:
        raise ValueError(f"{lister.name} failed: {listed.stderr[-2000:]}")
    return {"versions": versions(site_packages), "flags": json.loads(listed.stdout)}


def versions(site_packages: Path) -> dict[str, str]:
    """Returns the versions of PACKAGES. Raises ValueError when one is missing."""
    return {package: _version(site_packages, package) for package in PACKAGES}


def _version(site_packages: Path, package: str) -> str:
    for folder in site_packages.glob(f"{package}-*.dist-info"):
        return folder.name.removeprefix(f"{package}-").removesuffix(".dist-info")
    raise ValueError(f"{site_packages} has no {package}; give the folder of the server's Python environment.")


def _read(text: str) -> Iterator[str]:
    if "env" in text or "ENV" in text:
        for pattern in _READS:
            yield from pattern.findall(text)


def _declared(file: Path) -> set[str]:
    """Returns the keys of the module's `environment_variables` dictionary."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Dict):
            target = node.target
            if isinstance(target, ast.Name) and target.id == "environment_variables":
                keys = node.value.keys
                return {k.value for k in keys if isinstance(k, ast.Constant) and isinstance(k.value, str)}
    raise ValueError(f"{file} no longer declares environment_variables; read how the wheel does it now.")


def _jax_options(folder: Path) -> Iterator[str]:
    """Yields JAX's options, which are read from the environment under upper-case names
    (jax/_src/config.py).
    """
    for file in folder.rglob("*.py"):
        text = file.read_text("utf-8")
        for pattern in (r"""name=["'](jax_[a-z0-9_]+)["']""", r"""_state\(\s*["'](jax_[a-z0-9_]+)["']"""):
            yield from (name.upper() for name in re.findall(pattern, text))


def main(arguments: list[str]) -> int:
    """Write both files."""
    if len(arguments) != 1:
        print("usage: python -m tools.regenerate_known_names ENVIRONMENT", file=sys.stderr)
        return 2
    environment = Path(arguments[0])
    try:
        site_packages = next(environment.glob("lib/python3*/site-packages"), environment)
        names = generate_names(site_packages)
        flags = generate_flags(environment / "bin" / "python", site_packages)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    NAMES_FILE.write_text(json.dumps({"read_on": today, **names}, indent=1) + "\n", "utf-8")
    FLAGS_FILE.write_text(_lines({"read_on": today, **flags}), "utf-8")
    return 0


def _lines(content: dict[str, Any]) -> str:
    """Returns the flags as JSON with one flag a line, so that a diff shows which ones changed."""
    rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in content["flags"].items())
    return json.dumps({**content, "flags": None}, indent=1).replace("null", f"{{\n{rows}\n }}") + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
