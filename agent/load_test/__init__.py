"""Load test of one server: it runs in a Job, in the server's image, with the server's own benchmark.

`load_test/` (at the top) starts the Job and shows its results.
"""

from pathlib import Path

MODULES = (
    *("__init__.py", "store/__init__.py", "store/gcp_api.py", "store/gcs.py"),
    *("load_test/__init__.py", "load_test/__main__.py", "load_test/cell.py", "load_test/counters.py"),
    *("load_test/prompts.py", "load_test/run.py", "load_test/storage.py"),
)


def files() -> dict[str, str]:
    """Returns path below a folder of PYTHONPATH -> text, for `python3 -m agent.load_test`."""
    agent = Path(__file__).parents[1]
    return {f"agent/{name}": (agent / name).read_text("utf-8") for name in MODULES}
