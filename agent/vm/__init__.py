"""The part of a TPU VM's boot that talks to Google's APIs. It needs only Python 3.10, without packages."""

from pathlib import Path


def files() -> dict[str, str]:
    """Returns path -> text of the files that `python3 -m agent.vm` needs below a folder of PYTHONPATH."""
    here = Path(__file__).parent
    modules = {f"agent/vm/{path.name}": path.read_text("utf-8") for path in sorted(here.glob("*.py"))}
    report = (here.parent / "cache_report.py").read_text("utf-8")
    staging = "agent/weights_job/stage_weights.py"
    return {
        "agent/__init__.py": "",
        "agent/cache_report.py": report,
        "agent/weights_job/__init__.py": "",
        staging: (here.parent.parent / staging).read_text("utf-8"),
        **modules,
    }
