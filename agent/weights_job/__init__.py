"""Runs in the Job that stages weights, with the libraries of the server's image."""

from pathlib import Path

from agent.shipped_text import shipped_text

MODULES = ("checkpoint.py", "hub.py", "manifest.py", "stage_weights.py")


def files() -> dict[str, str]:
    """Returns path below a folder of PYTHONPATH -> text, for `python3 -m agent.weights_job.stage_weights`."""
    here = Path(__file__).parent
    return {
        "agent/__init__.py": "",
        "agent/weights_job/__init__.py": "",
        **{f"agent/weights_job/{name}": shipped_text(here / name) for name in MODULES},
    }
