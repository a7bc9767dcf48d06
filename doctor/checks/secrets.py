"""Secrets: whether they have a version. No check reads a value."""

from config.targets import GkeTarget
from doctor.case import Case
from doctor.google import Absent
from doctor.outcome import Outcome, missing, ok

HUGGING_FACE = "tpuserve-hugging-face-token"


def needs_api_key(case: Case) -> bool:
    """Returns whether clients must send a key."""
    return case.settings.authentication == "api-key"


def needs_hugging_face_token(case: Case) -> bool:
    """Returns whether the weights Job reads a token."""
    return isinstance(case.target, GkeTarget) and case.target.hugging_face_token


def api_key(case: Case) -> Outcome:
    """Asks whether the stack's API key has a version."""
    name = f"tpuserve-api-key-{case.stack}"
    return _version(case, name, "clients' keys", "openssl rand -hex 32 | tr -d '\\n'")


def hugging_face_token(case: Case) -> Outcome:
    """Asks whether the Hugging Face token has a version."""
    return _version(case, HUGGING_FACE, "token that downloads the weights", 'printf %s "$HF_TOKEN"')


def _version(case: Case, name: str, purpose: str, value: str) -> Outcome:
    """Asks whether a secret has a version; `value` is a command that prints one."""
    described = f"The secret {name} has the {purpose}"
    try:
        found = case.google.get(
            "secretmanager",
            f"projects/{case.target.project}/secrets/{name}/versions",
            filter="state:ENABLED",
            pageSize="1",
        )
    except Absent:
        return missing(
            f"{described}, and it does not exist: add {case.stack} to the foundation's target.environments "
            "and deploy the foundation."
        )
    if not found.get("versions"):
        add = f"gcloud secrets versions add {name} --data-file=- --project={case.target.project}"
        return missing(f"{described}, and it has no enabled version: run `{value} | {add}`.")
    return ok(f"{described}, in an enabled version.")
