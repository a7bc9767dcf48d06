"""Packs the agent as plain files for PYTHONPATH in any vllm-tpu image; runs in the Pulumi program.

`python -m agent.bundle FOLDER` writes the files, for a machine that is run by hand.
"""

import hashlib
import sys
from pathlib import Path

MODULES = (
    "__init__.py",
    "cache_report.py",
    "server/__init__.py",
    "server/api_keys.py",
    "server/compile_cache_events.py",
    "server/cors.py",
    "server/error_responses.py",
    "server/gemma4_tool_calls.py",
    "server/gemma4_tool_parser.py",
    "server/grammar_rows.py",
    "server/guard.py",
    "server/media.py",
    "server/media_connection.py",
    "server/messages_tables.py",
    "server/public_addresses.py",
    "server/request_fields.py",
    "server/request_rules.py",
    "server/request_tables.py",
)
METADATA = "tpuserve_agent.dist-info"
"""Python finds entry points of any folder on its path that holds such a folder; no installation is needed."""


def files() -> dict[str, str]:
    """Path below the mounted folder -> text."""
    here = Path(__file__).parent
    return {
        **{f"agent/{name}": (here / name).read_text("utf-8") for name in MODULES},
        f"{METADATA}/METADATA": "Metadata-Version: 2.1\nName: tpuserve-agent\nVersion: 1\n",
        f"{METADATA}/entry_points.txt": (
            "[vllm.general_plugins]\n"
            "tpuserve_cache_events = agent.server.compile_cache_events:register\n"
            "tpuserve_grammar_rows = agent.server.grammar_rows:register\n"
            "tpuserve_tool_calls = agent.server.gemma4_tool_calls:register\n"
        ),
    }


def digest() -> str:
    """Hexadecimal, 64 digits: changes exactly when a file's path or text does."""
    hashed = hashlib.sha256()
    for path, text in sorted(files().items()):
        hashed.update(f"{path}\0{len(text)}\0{text}".encode())
    return hashed.hexdigest()


def main(folder: Path) -> None:
    """Write the files below `folder`."""
    for name, text in files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
