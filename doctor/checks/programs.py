"""Programs of this machine, and the Python packages of the program."""

import re
import shutil
import sys
from importlib import metadata

from doctor.case import Case
from doctor.outcome import Outcome, missing, note, ok
from tools.toolchain.find import find
from tools.toolchain.programs import PROGRAMS, Built

PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)

INSTALL = ".venv/bin/pip install --require-hashes -r requirements/program.txt"
PLUGIN = "gke-gcloud-auth-plugin"


def python_packages(case: Case) -> Outcome:
    """Compares the packages of this Python with the pins in requirements/program.in."""
    pins = dict(PIN.findall((case.folder / "requirements" / "program.in").read_text("utf-8")))
    others = [
        f"{name} {installed or 'is not installed'}, not {pin}"
        for name, pin in pins.items()
        if (installed := _installed(name)) != pin
    ]
    version = ".".join(map(str, sys.version_info[:3]))
    if others:
        return missing(f"Python {version} has {'; '.join(others)}: run `{INSTALL}`.")
    return ok(f"Python {version} has the {len(pins)} packages of requirements/program.in.")


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def pulumi(_case: Case) -> Outcome:
    """Looks for a Pulumi CLI that is new enough."""
    program = PROGRAMS["pulumi"]
    assert isinstance(program, Built) and program.oldest is not None
    oldest = ".".join(map(str, program.oldest))
    found = find(program)
    if found is None:
        return missing(
            f"Pulumi {oldest} or newer, with pulumi-language-python beside it, is not on PATH: install it "
            "(https://www.pulumi.com/docs/install/), or run `make preview`, which builds it."
        )
    if found.origin == "built":
        return note(
            f"Pulumi {found.version} is built and not on PATH: run `export PATH={found.path.parent}:$PATH` "
            "before `pulumi up`."
        )
    return ok(f"Pulumi {found.version} is new enough: {oldest} or newer is needed.")


def gke_login(_case: Case) -> Outcome:
    """Looks for gcloud's credential plugin, with which Pulumi's Kubernetes provider logs in."""
    if shutil.which(PLUGIN) is None:
        return missing(
            f"The stack's kubeconfig logs in with {PLUGIN}, which is not on PATH: run `gcloud components "
            f"install {PLUGIN}`."
        )
    return ok(f"{PLUGIN} is on PATH.")


def gcloud(case: Case) -> Outcome:
    """Looks for gcloud, which reaches a TPU VM without an endpoint by a tunnel."""
    if shutil.which("gcloud") is not None:
        return ok("gcloud is on PATH.")
    why = (
        "adds the versions of secrets and"
        if case.serving.target.endpoint
        else "adds the versions of secrets, opens the only way to the server, and"
    )
    return note(f"`pulumi up` needs no gcloud, but gcloud {why} reads logs: install the Google Cloud CLI.")


def kubectl(_case: Case) -> Outcome:
    """Looks for kubectl, which load tests and diagnoses use, and `pulumi up` does not."""
    if shutil.which("kubectl") is not None:
        return ok("kubectl is on PATH.")
    return note(
        "`pulumi up` needs no kubectl, but `make load-test` and the runbooks use it: run `gcloud components "
        "install kubectl`."
    )
