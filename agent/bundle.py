"""Packs the agent's programs as files for PYTHONPATH in any vllm-tpu image; runs in the Pulumi program.

`python -m agent.bundle FOLDER` writes the files, for a machine that is run by hand.
"""

import sys
from pathlib import Path

from agent.shipped_text import shipped_text

MODULES = (
    "__init__.py",
    "agent_files.py",
    "compile_cache/__init__.py",
    "compile_cache/__main__.py",
    "compile_cache/archive.py",
    "compile_cache/entries.py",
    "compile_cache/folder.py",
    "compile_cache/publish.py",
    "compile_cache/records.py",
    "compile_cache/restore.py",
    "compile_cache/start.py",
    "compile_cache/trial.py",
    "compile_cache/warm_up_counts.py",
    "server/__init__.py",
    "server/api_keys.py",
    "server/cache_start.py",
    "server/chips.py",
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
    "server/metrics.py",
    "server/public_addresses.py",
    "server/readiness.py",
    "server/request_fields.py",
    "server/request_rules.py",
    "server/request_tables.py",
    "sidecar/__init__.py",
    "sidecar/__main__.py",
    "sidecar/acceptance.py",
    "sidecar/client.py",
    "sidecar/engine_events.py",
    "sidecar/evidence.py",
    "sidecar/hbm.py",
    "sidecar/images.py",
    "sidecar/key_age.py",
    "sidecar/ladder.py",
    "sidecar/libtpu.py",
    "sidecar/lifecycle.py",
    "sidecar/metrics.py",
    "sidecar/prompts.py",
    "sidecar/publication.py",
    "sidecar/records.py",
    "sidecar/request_checks.py",
    "sidecar/run.py",
    "sidecar/settings.py",
    "sidecar/verdict.py",
    "sidecar/web.py",
    "store/__init__.py",
    "store/atomic_file.py",
    "store/gcp_api.py",
    "store/gcs.py",
)
METADATA = "tpuserve_agent.dist-info"
"""Python finds entry points of any folder on its path that holds such a folder; no installation is needed."""


def files() -> dict[str, str]:
    """Path below the mounted folder -> text."""
    here = Path(__file__).parent
    return {
        **{f"agent/{name}": shipped_text(here / name) for name in MODULES},
        f"{METADATA}/METADATA": "Metadata-Version: 2.1\nName: tpuserve-agent\nVersion: 1\n",
        f"{METADATA}/entry_points.txt": (
            "[vllm.general_plugins]\n"
            "tpuserve_cache_start = agent.server.cache_start:register\n"
            "tpuserve_chips = agent.server.chips:register\n"
            "tpuserve_cache_events = agent.server.compile_cache_events:register\n"
            "tpuserve_grammar_rows = agent.server.grammar_rows:register\n"
            "tpuserve_tool_calls = agent.server.gemma4_tool_calls:register\n"
        ),
    }


def main(folder: Path) -> None:
    """Write the files below `folder`."""
    for name, text in files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
