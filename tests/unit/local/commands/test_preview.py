"""Which Google Cloud a preview asks: what counts as a login, and whose state is read."""

from pathlib import Path

import pytest

from local.commands import preview as module
from local.commands.preview import CREDENTIALS, credentials
from tools.support import paths
from tools.support.progress import Refusal


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without a login."""
    for variable in (*CREDENTIALS, "CLOUDSDK_CONFIG", "PULUMI_BACKEND_URL", "PULUMI_ACCESS_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_nobody_is_logged_in() -> None:
    assert credentials() is None


@pytest.mark.parametrize("variable", CREDENTIALS)
def test_each_variable_that_the_provider_reads_is_a_login(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "")
    assert credentials() is None
    monkeypatch.setenv(variable, "canary-value")
    assert credentials() == f"{variable} is set"


@pytest.mark.parametrize("moved", [False, True])
def test_the_login_of_gcloud_is_found_where_gcloud_puts_it(
    nobody: Path, monkeypatch: pytest.MonkeyPatch, moved: bool
) -> None:
    folder = nobody / (".config/gcloud" if not moved else "elsewhere")
    if moved:
        monkeypatch.setenv("CLOUDSDK_CONFIG", str(folder))
    folder.mkdir(parents=True)
    assert credentials() is None
    (folder / "application_default_credentials.json").touch()
    assert credentials() == f"gcloud's login is in {folder}/application_default_credentials.json"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "There is no stack 'odd': choose one of "),
        ("config: [", "Pulumi.odd.yaml is not valid YAML"),
    ],
)
def test_a_stack_file_that_cannot_be_read(
    nobody: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, sentence: str
) -> None:
    monkeypatch.setattr(paths, "REPOSITORY", nobody)
    if text is not None:
        (nobody / "Pulumi.odd.yaml").write_text(text, "utf-8")
    with pytest.raises(Refusal, match=sentence):
        module.preview("odd")
