"""`make preview`: the ordinary `pulumi preview`, with the policies, on the real or a fake Google Cloud.

With Google credentials, it uses Google Cloud and the user's own state. Without them, it uses a fake Google
Cloud.
"""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from local.commands import policies, prepare, pulumi_stack
from tools import toolchain
from tools.fake_gcp import preview_backend
from tools.support import paths, progress, subprocesses
from tools.support.progress import Refusal, say

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
== OFFLINE: this machine has no Google credentials. A fake Google Cloud (tools/fake_gcp) answers, as if only
   the foundation were deployed. The preview reads and writes none of your state."""
AFTER = """\
== OFFLINE: these answers came from the fake Google Cloud. To ask Google Cloud itself, run
   `gcloud auth application-default login` and the same command again."""


def preview(name: str) -> None:
    """Show what `pulumi up` of a stack would change and which policies would fail. Raises Refusal."""
    pulumi_stack.require(name)
    target = preview_backend.target(name)
    toolchain.ensure("pulumi")
    prepare.ensure("provider", "policies")
    if target.get("kind") == "local":
        pulumi_stack.select(name)
        _run(name, {}, {**os.environ, **toolchain.pulumi_environment()})
        return
    login = credentials()
    if login:
        say(f"== Google Cloud itself: {login}. Nothing is changed; the state comes from your backend.")
        _run(name, {}, _own(name, login))
        return
    with progress.exclusive("offline"):
        fake_cloud = preview_backend.ensure(
            [] if target.get("kind") == "foundation" else preview_backend.foundations()
        )
        say(BEFORE)
        say('$ eval "$(make -s env)"   # once, to run the next line by hand')
        file = fake_cloud.stack_file(name)
        try:
            _run(name, fake_cloud.variables(), fake_cloud.environment(), "--config-file", str(file))
        finally:
            say(AFTER)


def credentials() -> str | None:
    """Returns the reason why Google's provider could log in, as a clause; None when it could not.

    One of these must be set on a Compute Engine machine too, although its metadata server would answer.
    """
    for variable in CREDENTIALS:
        if os.environ.get(variable):
            return f"{variable} is set"
    folder = os.environ.get("CLOUDSDK_CONFIG") or Path.home() / ".config" / "gcloud"
    file = Path(folder) / "application_default_credentials.json"
    return f"gcloud's login is in {file}" if file.exists() else None


def _run(name: str, shown: Mapping[str, str], environment: Mapping[str, str], *options: str) -> None:
    """Print the command, with the variables in `shown`, and run it. Raises Refusal when it fails."""
    words = ["pulumi", "preview", "--stack", name, *options, "--policy-pack", policies.FOLDER.name, "--diff"]
    say(" ".join(["$", *(f"{key}={shlex.quote(value)}" for key, value in shown.items()), shlex.join(words)]))
    code = subprocesses.call(words, cwd=paths.REPOSITORY, env={**environment})
    if code != 0:
        raise Refusal("`pulumi preview` failed: fix the error in its message above and run it again.")


def _own(name: str, login: str) -> dict[str, str]:
    """Returns the user's environment for `pulumi`. Raises Refusal when nothing says where the state is."""
    environment = pulumi_stack.own_environment()
    if environment is None:
        raise Refusal(
            f"{login}, but nothing says where the state of {name} is: export PULUMI_BACKEND_URL=gs://BUCKET "
            "(docs/operations.md, step 2), or run without the login to use the fake Google Cloud."
        )
    return environment
