"""The agent as plain files: what a ConfigMap mounts as one folder of PYTHONPATH, in any vllm-tpu image."""

import hashlib
from pathlib import Path

MODULES = ("__init__.py", "answers.py", "cache_events.py", "guard.py", "keys.py", "rules.py")
METADATA = "tpuserve_agent.dist-info"
"""Python finds entry points of any folder on its path that holds such a folder; no installation is needed."""


def files() -> dict[str, str]:
    """Path below the mounted folder -> text."""
    here = Path(__file__).parent
    return {
        **{f"agent/{name}": (here / name).read_text("utf-8") for name in MODULES},
        f"{METADATA}/METADATA": "Metadata-Version: 2.1\nName: tpuserve-agent\nVersion: 1\n",
        f"{METADATA}/entry_points.txt": (
            "[vllm.general_plugins]\ntpuserve_cache_events = agent.cache_events:register\n"
        ),
    }


def digest() -> str:
    """Hexadecimal, 64 digits: changes exactly when a file's path or text does."""
    hashed = hashlib.sha256()
    for path, text in sorted(files().items()):
        hashed.update(f"{path}\0{len(text)}\0{text}".encode())
    return hashed.hexdigest()
