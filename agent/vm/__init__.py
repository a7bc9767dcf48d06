"""The part of a TPU VM's boot that talks to Google's APIs. It needs only Python 3.10, without packages."""

from pathlib import Path

from agent.shipped_text import shipped_text

PACKAGES = ("compile_cache", "store", "vm")
CHECKPOINT = "weights_job/checkpoint.py"


def files() -> dict[str, str]:
    """Returns path -> text of the files that `python3 -m agent.vm` needs below a folder of PYTHONPATH."""
    agent = Path(__file__).parents[1]
    modules = [path for package in PACKAGES for path in sorted((agent / package).glob("*.py"))]
    return {
        **{f"agent/{path.relative_to(agent)}": shipped_text(path) for path in (*modules, agent / CHECKPOINT)},
        "agent/__init__.py": "",
        # What these two hold is for the machine that runs `pulumi up`.
        "agent/vm/__init__.py": "",
        "agent/weights_job/__init__.py": "",
    }
