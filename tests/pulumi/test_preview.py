"""`make preview` of a Google stack: offline and with a notice without credentials, Google's answers with
them."""

import os
import shlex
import sys
from pathlib import Path

import pytest

from local.commands.preview import CREDENTIALS
from tests import cli
from tools import toolchain
from tools.bench import bare
from tools.bench.preview import bare_program, same
from tools.fake_gcp import preview_backend
from tools.support import paths, progress
from tools.support.progress import Refusal

LOGIN = "GOOGLE_OAUTH_ACCESS_TOKEN"
CANARY = "ya29.canary-of-the-tests"


@pytest.fixture
def without_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Returns the environment of a user who never logged in, with the instance and the programs of the
    tests."""
    monkeypatch.setenv("TPUSERVE_INSTANCE", os.environ.get("TPUSERVE_INSTANCE", "test"))
    toolchain.ensure("pulumi", "provider-kubernetes")
    kept = {name: value for name, value in cli.neutral().items() if name not in CREDENTIALS}
    return {**kept, "HOME": str(tmp_path), "TPUSERVE_CACHE": str(paths.home())}


def preview(stack: str, environment: dict[str, str]) -> tuple[int, str]:
    return cli.run([sys.executable, "-m", "local", "preview", stack], paths.REPOSITORY, environment)


def test_offline_says_so_and_leaves_everything_as_it_was(without_login: dict[str, str]) -> None:
    file = paths.REPOSITORY / "Pulumi.prod.yaml"
    before = file.read_bytes()
    code, shown = preview("prod", without_login)
    assert code == 0, shown
    # The notice stands before and after the plan, so that a reader of either end sees it.
    first, last = shown.index("== OFFLINE"), shown.rindex("== OFFLINE")
    assert first < shown.index("gcp:container/cluster:Cluster") < shown.index("to create") < last
    assert "tpuserve|local|policies" in shown
    # The preview uses the placeholder project, and the foundation's outputs are those of that project.
    assert "my-project-tpuserve" in shown and "fake-project" not in shown
    assert file.read_bytes() == before

    code, again = preview("prod", without_login)
    assert code == 0 and "Deploy foundation" not in again

    lines = [line.removeprefix("$ ") for line in again.splitlines() if line.startswith("$ ")]
    assert [shlex.split(line, comments=True)[0] for line in lines] == ["eval", f"PULUMI_HOME={_home()}"]
    code, plain = cli.run(["bash", "-ec", "\n".join(lines)], paths.REPOSITORY, without_login)
    assert code == 0 and "to create" in plain and "== OFFLINE" not in plain
    assert file.read_bytes() == before


def _home() -> Path:
    return paths.offline() / "home"


def test_a_foundation_is_previewed_as_if_it_were_not_there(without_login: dict[str, str]) -> None:
    code, shown = preview("foundation", without_login)
    assert code == 0 and "== OFFLINE" in shown, shown
    assert "gcp:compute/network:Network" in shown and " unchanged" not in shown


def test_with_a_login_it_is_google_and_the_users_own_state(
    without_login: dict[str, str], tmp_path: Path
) -> None:
    logged_in = {**without_login, LOGIN: CANARY}
    code, shown = preview("prod", logged_in)
    assert code == 1 and "export PULUMI_BACKEND_URL=gs://BUCKET" in shown and "Traceback" not in shown
    # The state of `make up` does not hold Google stacks, even when its exports were evaluated.
    code, shown = preview("prod", {**logged_in, **toolchain.pulumi_environment()})
    assert code == 1 and "export PULUMI_BACKEND_URL=gs://BUCKET" in shown
    (tmp_path / "mine").mkdir()
    own = {"PULUMI_BACKEND_URL": f"file://{tmp_path / 'mine'}", "PULUMI_CONFIG_PASSPHRASE": ""}
    code, shown = preview("prod", {**logged_in, **own})
    assert code == 1 and "no stack named 'prod' found" in shown
    assert f"{LOGIN} is set" in shown and "OFFLINE" not in shown and CANARY not in shown
    # The user's own CLI stores its files in the user's home, and finds no stand-in there.
    assert list(tmp_path.rglob("pulumi-resource-gcp")) == []


def test_the_bare_program_declares_what_prod_declares(tmp_path: Path) -> None:
    """`make bench` compares the same work, and reports when it does not."""
    toolchain.ensure("pulumi", "provider-kubernetes")
    with progress.exclusive("offline"):
        fake_cloud = preview_backend.ensure(preview_backend.foundations())
        # A link that a deleted clone has left.
        environment = fake_cloud.folder / "bare" / ".venv"
        environment.parent.mkdir(exist_ok=True)
        environment.unlink(missing_ok=True)
        environment.symlink_to(tmp_path / "gone" / ".venv")
        folder, resources = bare_program(fake_cloud)
    text = (folder / "__main__.py").read_text("utf-8")
    assert resources > 25 and text.count("made[") > resources and "stacks" not in text
    plan = {"steps": [{"op": "create", "newState": {"custom": True, "urn": URN, "type": KIND, "inputs": {}}}]}
    with pytest.raises(Refusal, match=f"plan differs: {KIND}::x"):
        same(plan, {"steps": []})
    assert [*bare.declared(plan)] == [f"{KIND}::x"]


KIND = "gcp:storage/bucket:Bucket"
URN = f"urn:pulumi:prod::tpuserve::{KIND}::x"
