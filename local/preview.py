"""`make preview`: the ordinary `pulumi preview`, with the policies, on whichever Google Cloud is at hand.

With credentials of Google, it is Google and the user's own state. Without, it is a pretended one.
"""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from local import children, offline, paths, policies, prepare, progress, stack, toolchain
from local.progress import Refusal, say

CREDENTIALS = (
    # https://www.pulumi.com/registry/packages/gcp/installation-configuration/ (credentials, accessToken)
    "GOOGLE_CREDENTIALS",
    "GOOGLE_CLOUD_KEYFILE_JSON",
    "GCLOUD_KEYFILE_JSON",
    "GOOGLE_OAUTH_ACCESS_TOKEN",
    # https://cloud.google.com/docs/authentication/application-default-credentials
    "GOOGLE_APPLICATION_CREDENTIALS",
)
BEFORE = """\
== OFFLINE: no credentials of Google are here. A pretended Google Cloud (tests/standin) answers, as if nothing
   but the foundation were deployed. No state of yours is read or written."""
AFTER = """\
== OFFLINE: that was the pretended Google Cloud. With credentials (`gcloud auth application-default login`)
   the same command asks Google."""


def preview(name: str) -> None:
    """Show what `pulumi up` of a stack would change, and what the policies say. Raises Refusal."""
    target = _target(name)
    toolchain.ensure("pulumi")
    prepare.ensure("provider", "policies")
    if target.get("kind") == "local":
        stack.select(name)
        _run(name, {}, {**os.environ, **toolchain.pulumi_environment()})
        return
    login = credentials()
    if login:
        say(f"== Google Cloud itself: {login}. Nothing is changed; the state is the one of your backend.")
        _run(name, {}, _own(name, login))
        return
    with progress.exclusive("offline"):
        pretended = offline.ensure([] if target.get("kind") == "foundation" else foundations())
        say(BEFORE)
        say('$ eval "$(make -s env)"   # once, to run the next line by hand')
        file = pretended.stack_file(name)
        try:
            _run(name, pretended.variables(), pretended.environment(), "--config-file", str(file))
        finally:
            say(AFTER)


def credentials() -> str | None:
    """What says that Google's provider could log in, as a clause; None when nothing does.

    A machine of Google's own, whose metadata server would answer, has to say so by one of these as well.
    """
    for variable in CREDENTIALS:
        if os.environ.get(variable):
            return f"{variable} is set"
    folder = os.environ.get("CLOUDSDK_CONFIG") or Path.home() / ".config" / "gcloud"
    file = Path(folder) / "application_default_credentials.json"
    return f"gcloud's login is in {file}" if file.exists() else None


def _run(name: str, shown: Mapping[str, str], environment: Mapping[str, str], *options: str) -> None:
    """Say the command, with the variables that are `shown`, and run it."""
    words = ["pulumi", "preview", "--stack", name, *options, "--policy-pack", policies.FOLDER.name, "--diff"]
    say(" ".join(["$", *(f"{key}={shlex.quote(value)}" for key, value in shown.items()), shlex.join(words)]))
    code = children.call(words, cwd=paths.REPOSITORY, env={**environment})
    if code != 0:
        raise Refusal("`pulumi preview` failed: its own message is above. Mend that and run it again.")


def _own(name: str, login: str) -> dict[str, str]:
    """The user's environment, with the CLI that is used and without what belongs to the local instance.

    Raises Refusal when nothing tells where the state is.
    """
    instance = toolchain.pulumi_environment()
    cli = {key: instance[key] for key in ("PATH", toolchain.CLONE_VARIABLE) if key in instance}
    kept = dict(os.environ)
    if kept.get("PULUMI_BACKEND_URL") == instance["PULUMI_BACKEND_URL"]:
        # `eval "$(make -s env)"` was here.
        kept = {key: value for key, value in kept.items() if instance.get(key) != value}
    home = Path(kept.get("PULUMI_HOME") or Path.home() / ".pulumi")
    told = "PULUMI_BACKEND_URL" in kept or "PULUMI_ACCESS_TOKEN" in kept
    if not told and not (home / "credentials.json").exists():
        raise Refusal(
            f"{login}, and nothing tells where the state of {name} is: export PULUMI_BACKEND_URL=gs://BUCKET "
            "(docs/operations.md, step 2), or run without the login to see the pretended Google's answer."
        )
    return {**kept, "PATH": os.environ["PATH"], **cli}


def foundations() -> list[str]:
    """The stacks that others stand on."""
    names = [file.name.split(".")[1] for file in paths.REPOSITORY.glob("Pulumi.*.yaml")]
    return [name for name in names if _target(name).get("kind") == "foundation"]


def _target(name: str) -> dict[str, Any]:
    """The target in a stack's file, empty when there is none: the program has the sentence for that."""
    stack.require(name)
    file = paths.REPOSITORY / f"Pulumi.{name}.yaml"
    try:
        found = yaml.safe_load(file.read_text("utf-8"))["config"]["tpuserve:target"]
    except yaml.YAMLError as error:
        raise Refusal(f"{file.name} is not YAML: {' '.join(str(error).split())}; mend it.") from None
    except (KeyError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}
