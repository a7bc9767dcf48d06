"""Google's APIs: one sentence for each way in which a call fails."""

from collections.abc import Callable
from typing import Any

import google.auth.exceptions
import httplib2
import pytest

from operate import google_api
from tests.unit.operate.conftest import Http, error
from tools.support.errors import Refusal

Cloud = Callable[[dict[str, Any]], Http]
WHAT = "list the machines of dev"


def call() -> Any:
    groups = google_api.client("compute", "v1").instanceGroupManagers()
    request = groups.get(project="p", zone="us-east5-b", instanceGroupManager="g")
    return google_api.call(request, WHAT, "roles/compute.viewer")


FAILURES = [
    (
        (403, error("Required 'compute.instances.list' permission.")),
        "Google does not let you list the machines of dev (Required 'compute.instances.list' "
        "permission): ask "
        "the project's owner for roles/compute.viewer.",
    ),
    (
        (400, error("Invalid value")),
        "Google did not list the machines of dev (HTTP 400: Invalid value): run the same command again.",
    ),
    (
        google.auth.exceptions.RefreshError("Reauthentication is needed."),
        "Google credentials are needed to list the machines of dev, and this machine has none that work: run "
        "`gcloud auth application-default login`.",
    ),
    (
        httplib2.ServerNotFoundError("no host"),
        "Google did not answer a request to list the machines of dev (ServerNotFoundError): "
        "check the network, "
        "and run the same command again.",
    ),
    (
        # So the library reports that a login could not be refreshed without a network.
        google.auth.exceptions.TransportError("no host"),
        "Google did not answer a request to list the machines of dev (TransportError): check the network, "
        "and run the same command again.",
    ),
]


@pytest.mark.parametrize(("answer", "sentence"), FAILURES)
def test_a_call_that_fails_is_one_sentence(cloud: Cloud, answer: Any, sentence: str) -> None:
    cloud({"/g": answer})
    with pytest.raises(Refusal) as refusal:
        call()
    assert str(refusal.value) == sentence


def test_what_does_not_exist_is_the_callers_to_explain(cloud: Cloud) -> None:
    cloud({})
    with pytest.raises(LookupError):
        call()


def test_an_answer_is_its_document(cloud: Cloud) -> None:
    http = cloud({"/g": {"name": "g"}})
    assert call() == {"name": "g"}
    assert http.sent == [("GET", "compute/v1/projects/p/zones/us-east5-b/instanceGroupManagers/g", "")]


def test_a_machine_without_a_login_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_login(*_: object, **__: object) -> None:
        raise google.auth.exceptions.DefaultCredentialsError("none")

    monkeypatch.setattr("googleapiclient._auth.google.auth.default", no_login)
    with pytest.raises(Refusal) as refusal:
        google_api.client("compute", "v1")
    assert str(refusal.value) == (
        "Google credentials are needed to call Google's API compute, and this machine has none "
        "that work: run "
        "`gcloud auth application-default login`."
    )
