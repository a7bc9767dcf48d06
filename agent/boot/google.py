"""Google's metadata server and JSON APIs, with the VM's own identity. Raises `Problem`, one sentence each."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException, HTTPResponse
from types import MappingProxyType
from typing import Any

METADATA = "http://metadata.google.internal/computeMetadata/v1/instance"
PAUSES = (1, 2, 4, 8)
"""Seconds between attempts; whoever has not answered after them does not answer."""

TIMEOUT_SECONDS = 60


class Problem(Exception):
    """A failure that ends the stage. The text is the whole message: what is wrong and what to change."""


class Status(Exception):
    """An answer that is not a success and that asking again would not change."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"HTTP {code}: {reason}")
        self.code = code


def metadata(path: str) -> str:
    """An instance attribute from the metadata server. Raises Problem, or Status when it does not exist."""
    request = urllib.request.Request(f"{METADATA}/{path}", headers={"Metadata-Flavor": "Google"})
    with send(request) as answer:
        return answer.read().decode()


def token() -> str:
    """An access token of the VM's service account, good for minutes."""
    try:
        return json.loads(metadata("service-accounts/default/token"))["access_token"]
    except (Status, ValueError, KeyError) as error:
        raise Problem(
            f"The metadata server gives no access token ({error}): attach a service account to the VM."
        ) from None


def account() -> str:
    """E-mail address of the VM's service account, for messages."""
    try:
        return metadata("service-accounts/default/email")
    except (Problem, Status):
        return "the VM's service account"


def call(url: str, headers: Mapping[str, str] = MappingProxyType({})) -> HTTPResponse:
    """GET `url` of a Google API as the VM. Raises Status for an answer that is final, Problem for silence."""
    return send(urllib.request.Request(url, headers={"Authorization": f"Bearer {token()}", **dict(headers)}))


def read(url: str) -> Any:
    """The JSON answer of `call`."""
    with call(url) as answer:
        return json.load(answer)


def send(request: urllib.request.Request) -> HTTPResponse:
    """Send, and send again while the other side is busy, restarting or out of reach."""
    for pause in (*PAUSES, None):
        try:
            return urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
        except urllib.error.HTTPError as error:
            reason = _reason(error)
            if pause is None or (error.code != 429 and error.code < 500):
                raise Status(error.code, reason) from None
        except (OSError, HTTPException) as error:
            if pause is None:
                raise Problem(
                    f"{request.host} does not answer ({getattr(error, 'reason', error)}): the subnet needs "
                    f"Private Google Access or Cloud NAT."
                ) from None
        time.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


def _reason(error: urllib.error.HTTPError) -> str:
    """The API's own message, else the status line's."""
    try:
        return str(json.loads(error.read())["error"]["message"])
    except (ValueError, KeyError, TypeError, OSError):
        return str(error.reason)
