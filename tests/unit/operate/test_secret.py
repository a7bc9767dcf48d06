"""API key in Secret Manager: read, and replaced without showing its value."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from config.targets import TpuVmTarget
from operate import secret
from tests.unit.operate.conftest import Http, error
from tools.support.errors import Refusal

Cloud = Callable[[dict[str, Any]], Http]
Outputs = dict[str, dict[str, Any]]
TARGET = TpuVmTarget.model_validate(
    {"kind": "tpu-vm", "project": "my-project", "zone": "us-east5-b", "capacity": {"kind": "spot"}}
)
NAME = "projects/my-project/secrets/tpuserve-api-key-dev"
LATEST = "/versions/latest:access"


@pytest.fixture(autouse=True)
def foundation(stack_outputs: Outputs) -> Outputs:
    """A foundation that knows the stack dev."""
    stack_outputs["foundation"] = {"environments": {"dev": {"api_key_secret": "tpuserve-api-key-dev"}}}
    return stack_outputs


def payload(text: str) -> dict[str, Any]:
    return {"payload": {"data": base64.b64encode(text.encode()).decode()}}


def test_the_first_of_several_keys_is_read(cloud: Cloud) -> None:
    http = cloud({LATEST: payload("new\nold\n")})
    assert secret.read("dev", TARGET) == "new"
    assert http.sent == [("GET", f"v1/{NAME}/versions/latest:access", "")]


def test_a_new_key_is_added_and_not_shown(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    http = cloud({":addVersion": {"name": f"{NAME}/versions/2"}})
    secret.add("dev", TARGET)
    secret.add("dev", TARGET)
    keys = [base64.b64decode(json.loads(body)["payload"]["data"]).decode() for _, _, body in http.sent]
    assert [path for _, path, _ in http.sent] == [f"v1/{NAME}:addVersion"] * 2
    # 32 random bytes in base64 without padding, and no newline.
    assert [len(key) for key in keys] == [43, 43] and keys[0] != keys[1]
    shown = capsys.readouterr()
    assert not any(key in shown.out + shown.err for key in keys)


READ_FAILURES = [
    ((404, error("not found")), f"{NAME} has no version: run `make key STACK=dev`."),
    (payload("\n"), f"The latest version of {NAME} has no key: run `make key STACK=dev`."),
    (
        (403, error("denied")),
        "Google does not let you read the API key of dev (denied): ask the project's owner for "
        f"roles/secretmanager.secretAccessor on {NAME}.",
    ),
]


@pytest.mark.parametrize(("answer", "sentence"), READ_FAILURES)
def test_a_key_that_cannot_be_read(cloud: Cloud, answer: Any, sentence: str) -> None:
    cloud({LATEST: answer})
    with pytest.raises(Refusal) as refusal:
        secret.read("dev", TARGET)
    assert str(refusal.value) == sentence


def test_a_secret_that_does_not_exist_cannot_get_a_key(cloud: Cloud) -> None:
    cloud({})
    with pytest.raises(Refusal) as refusal:
        secret.add("dev", TARGET)
    assert str(refusal.value) == f"{NAME} does not exist: run `pulumi up -s foundation`."


def test_a_foundation_without_the_stack_is_named(foundation: Outputs, cloud: Cloud) -> None:
    foundation["foundation"] = {"environments": {}}
    with pytest.raises(Refusal) as refusal:
        secret.read("dev", TARGET)
    assert str(refusal.value) == (
        "The foundation foundation has no API key for dev: add dev to target.environments in "
        "Pulumi.foundation.yaml, and run `pulumi up -s foundation`."
    )
