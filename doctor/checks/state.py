"""Pulumi's state: its place, and the foundation that it knows."""

import json
import os
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from doctor.case import Case
from doctor.google import Absent, Google
from doctor.outcome import Outcome, missing, not_asked, note, ok
from tools.toolchain.find import find
from tools.toolchain.programs import PROGRAMS

VARIABLE = "PULUMI_BACKEND_URL"
STEP = "docs/operations.md, step 2"
SECONDS = 120
"""Seconds to wait for Pulumi's answer about a stack."""

OBJECT_PERMISSIONS = (
    "storage.objects.create",
    "storage.objects.delete",
    "storage.objects.get",
    "storage.objects.list",
)
"""Permissions of a bucket that Pulumi writes state and locks with, all in roles/storage.objectUser."""


def backend(case: Case) -> Outcome:
    """Asks whether the place of Pulumi's state is there and may be written."""
    url = os.environ.get(VARIABLE, "")
    parts = urlsplit(url)
    if parts.scheme == "gs":
        return _bucket(case, parts.netloc)
    if url and parts.scheme != "file":
        return ok(f"Pulumi's state is at {parts.scheme}://{parts.hostname}, by {VARIABLE}.")
    if url:
        return note(
            f"{VARIABLE} is a folder of this machine, and nobody else can deploy from there: use a bucket "
            f"({STEP})."
        )
    if _is_logged_in():
        return ok("Pulumi's state is where `pulumi login` said.")
    return missing(f"Nothing says where Pulumi's state is: export {VARIABLE}=gs://BUCKET ({STEP}).")


def foundation(case: Case) -> Outcome:
    """Asks Pulumi for the outputs of the foundation that the stack reads."""
    name = case.serving.target.foundation
    found = find(PROGRAMS["pulumi"])
    if found is None:
        return not_asked(f"The outputs of {name} are in Pulumi's state: see the row pulumi.")
    if not os.environ.get(VARIABLE) and not _is_logged_in():
        return not_asked(f"The outputs of {name} are in Pulumi's state: see the row state.")
    try:
        done = subprocess.run(
            [found.path, "stack", "output", "--json", "--stack", name, "--non-interactive"],
            cwd=case.folder,
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return missing(
            f"Pulumi gave no outputs of {name} ({type(error).__name__}): run the same command again."
        )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1].removeprefix("error: ")
        return missing(
            f"The stack reads the outputs of stack {name}, and Pulumi has none ({reason}): run "
            f"`pulumi up -s {name}`, or fix target.foundation or {VARIABLE}."
        )
    outputs = json.loads(done.stdout)
    region = outputs.get("region")
    if region is None:
        return missing(f"Stack {name} has no outputs: run `pulumi up -s {name}`.")
    if region != case.target.region:
        return missing(
            f"target.zone is in {case.target.region}, and the foundation of stack {name} is in {region}: "
            f"choose a zone in {region}, or another project with its own foundation."
        )
    if case.stack not in outputs.get("environments", {}):
        return missing(
            f"Stack {name} has no environment {case.stack}: add it to target.environments in "
            f"Pulumi.{name}.yaml, and run `pulumi up -s {name}`."
        )
    return ok(f"Stack {name} is in {region} and has an environment {case.stack}.")


def _is_logged_in() -> bool:
    """Returns whether `pulumi login` has named a place for the state."""
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    return "PULUMI_ACCESS_TOKEN" in os.environ or (home / "credentials.json").exists()


def _bucket(case: Case, bucket: str) -> Outcome:
    described = f"Pulumi's state is in gs://{bucket}"
    if not isinstance(case.login, Google):
        return not_asked(f"{described}, and Google was not asked, because {case.login}.")
    try:
        answer = case.google.get(
            "storage", f"b/{bucket}/iam/testPermissions", permissions=list(OBJECT_PERMISSIONS)
        )
    except Absent:
        return missing(f"{described}, which does not exist: create it ({STEP}), or fix {VARIABLE}.")
    lacking = [each for each in OBJECT_PERMISSIONS if each not in answer.get("permissions", [])]
    if lacking:
        return missing(
            f"{described}, where you lack {', '.join(lacking)}: ask its owner for roles/storage.objectUser."
        )
    return ok(f"{described}, where you may write.")
