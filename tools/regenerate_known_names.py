"""Regenerates known_names.json from installed packages: `python -m tools.regenerate_known_names
SITE_PACKAGES`.

Reads source text only; imports nothing of what it reads.
"""

import ast
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from serving.engine.environment_variables import NAMES_FILE

PACKAGES = ("vllm_tpu", "tpu_inference", "jax", "huggingface_hub")
_READ = re.compile(r"""(?:environ(?:\.get|\.setdefault|\.pop)?|getenv)\s*[\[(]\s*["']([A-Z][A-Z0-9_]+)["']""")
_OURS = re.compile(r"^(TPU|JAX|XLA|LIBTPU|HF|VLLM)_")


def generate(site_packages: Path) -> dict[str, object]:
    """The file's content. Raises ValueError when a package is not there."""
    names = {
        "vllm": _declared(site_packages / "vllm" / "envs.py"),
        "tpu_inference": _declared(site_packages / "tpu_inference" / "envs.py")
        | _read(site_packages / "tpu_inference"),
        "jax": _jax_options(site_packages / "jax" / "_src"),
        "huggingface_hub": _read_file(site_packages / "huggingface_hub" / "constants.py"),
    }
    seen: set[str] = set()
    unique: dict[str, list[str]] = {}
    for package, found in names.items():
        unique[package] = sorted(found - seen)
        seen |= found
    return {"versions": {p: _version(site_packages, p) for p in PACKAGES}, "names": unique}


def _version(site_packages: Path, package: str) -> str:
    for folder in site_packages.glob(f"{package}-*.dist-info"):
        return folder.name.removeprefix(f"{package}-").removesuffix(".dist-info")
    raise ValueError(f"{site_packages} has no {package}; give the server's site-packages folder.")


def _declared(file: Path) -> set[str]:
    """Keys of the module's `environment_variables` dictionary."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Dict):
            target = node.target
            if isinstance(target, ast.Name) and target.id == "environment_variables":
                keys = node.value.keys
                return {k.value for k in keys if isinstance(k, ast.Constant) and isinstance(k.value, str)}
    raise ValueError(f"{file} no longer declares environment_variables; read how the wheel does it now.")


def _jax_options(folder: Path) -> set[str]:
    """JAX's options are read from the environment under their upper-case names (jax/_src/config.py)."""
    found: set[str] = set()
    for file in folder.rglob("*.py"):
        text = file.read_text("utf-8")
        found |= {name.upper() for name in re.findall(r"""name=["'](jax_[a-z0-9_]+)["']""", text)}
        found |= {name.upper() for name in re.findall(r"""_state\(\s*["'](jax_[a-z0-9_]+)["']""", text)}
        found |= _interesting(_READ.findall(text))
    return found


def _read(folder: Path) -> set[str]:
    return {name for file in folder.rglob("*.py") for name in _read_file(file)}


def _read_file(file: Path) -> set[str]:
    return _interesting(_READ.findall(file.read_text("utf-8")))


def _interesting(names: Iterable[str]) -> set[str]:
    return {name for name in names if _OURS.match(name)}


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m tools.regenerate_known_names SITE_PACKAGES", file=sys.stderr)
        return 2
    try:
        content = generate(Path(arguments[0]))
    except (ValueError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    NAMES_FILE.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
