"""Doctor's login, and its base URLs."""

from typing import Any

import google.auth.exceptions
import google.oauth2.credentials
import pytest

from doctor import google as module
from doctor.google import ENDPOINTS, Google, NoLogin, login
from tests.unit.doctor.stand_in import described


def test_base_urls_are_those_of_googles_descriptions() -> None:
    for api, url in ENDPOINTS.items():
        document = described(api)
        root = document["rootUrl"].replace("www.googleapis.com", "compute.googleapis.com")
        assert url.startswith((document["rootUrl"], root)), api


class Account:
    """Credentials of a service account."""

    refreshed = False

    def refresh(self, _request: object) -> None:
        """Refreshes the credentials."""
        self.refreshed = True


def defaults(monkeypatch: pytest.MonkeyPatch, credentials: object) -> None:
    """Sets the application default credentials; an exception is raised."""

    def default(**_: object) -> tuple[object, None]:
        if isinstance(credentials, Exception):
            raise credentials
        return credentials, None

    monkeypatch.setattr(module.google.auth, "default", default)


def test_an_account_is_refreshed_before_the_first_request(monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account()
    defaults(monkeypatch, account)
    assert isinstance(login("a-project"), Google) and account.refreshed


@pytest.mark.parametrize(("named", "counted"), [(None, "a-project"), ("billed-here", "billed-here")])
def test_a_users_requests_count_for_a_project(
    named: str | None, counted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = google.oauth2.credentials.Credentials("token", quota_project_id=named)
    seen: list[Any] = []
    monkeypatch.setattr(google.oauth2.credentials.Credentials, "refresh", lambda self, _: seen.append(self))
    defaults(monkeypatch, user)
    login("a-project")
    assert seen[0].quota_project_id == counted


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            google.auth.exceptions.DefaultCredentialsError("none"),
            "this machine has no application default credentials: run `gcloud auth application-default "
            "login`",
        ),
        (
            google.auth.exceptions.RefreshError("Reauthentication is needed"),
            "the application default credentials do not work (RefreshError): run `gcloud auth "
            "application-default login`",
        ),
        (
            google.auth.exceptions.TransportError("no host"),
            "Google gave no answer to a request for the login: check the network",
        ),
    ],
)
def test_no_login_is_a_sentence(error: Exception, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    defaults(monkeypatch, error)
    with pytest.raises(NoLogin) as caught:
        login("a-project")
    assert str(caught.value) == sentence
