"""What a TPU VM's boot script cannot do in shell: talk to Google's APIs. Standard library, Python 3.10."""

from pathlib import Path


def files() -> dict[str, str]:
    """Path below a folder on PYTHONPATH -> text: what the VM needs for `python3 -m agent.vm`."""
    here = Path(__file__).parent
    modules = {f"agent/vm/{path.name}": path.read_text("utf-8") for path in sorted(here.glob("*.py"))}
    report = (here.parent / "cache_report.py").read_text("utf-8")
    return {"agent/__init__.py": "", "agent/cache_report.py": report, **modules}
