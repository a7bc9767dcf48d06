"""Google's metadata server and JSON APIs, with the identity of the VM or the pod. Raises `Problem`, one
sentence each."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from http.client import HTTPException, HTTPResponse
from types import MappingProxyType
from typing import Any, TypeVar

T = TypeVar("T")
"""Python 3.10, which the VM has, has no type parameters."""

METADATA = "http://metadata.google.internal/computeMetadata/v1/instance"
PAUSES = (1, 2, 4, 8)
"""Seconds between attempts; after the last attempt the request has failed."""

TIMEOUT_SECONDS = 60


class Problem(Exception):
    """Failure that ends the stage. The text is the whole message: what is wrong and what to change."""


class Status(Exception):
    """Answer with another status than success."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"HTTP {code}: {reason}")
        self.code = code

    @property
    def exists(self) -> bool:
        """True for a refused creation of an object that exists (`ifGenerationMatch=0`)."""
        return self.code == 412

    @property
    def passing(self) -> bool:
        """True if a retry may succeed."""
        return self.code == 429 or self.code >= 500


def metadata(path: str) -> str:
    """Returns an instance attribute of the metadata server. Raises Problem, or Status if it does not
    exist."""
    request = urllib.request.Request(f"{METADATA}/{path}", headers={"Metadata-Flavor": "Google"})
    return _insist(request, lambda: _body(request).decode())


def token() -> str:
    """Returns an access token of the service account, valid for minutes."""
    try:
        return json.loads(metadata("service-accounts/default/token"))["access_token"]
    except (Status, ValueError, KeyError) as error:
        raise Problem(
            f"The metadata server gives no access token ({error}): attach a service account to the VM, or "
            f"to the pod's Kubernetes account."
        ) from None


def account() -> str:
    """Returns the email address of the service account, for messages."""
    try:
        return metadata("service-accounts/default/email")
    except (Problem, Status):
        return "the service account"


def authorization() -> dict[str, str]:
    """Returns the header that gives a request to a Google API the identity of the VM or the pod."""
    return {"Authorization": f"Bearer {token()}"}


def read(url: str, headers: Mapping[str, str] = MappingProxyType({})) -> Any:
    """Returns the JSON answer to a GET. Raises Status for a final error, Problem for no or an incomplete
    answer."""
    get = urllib.request.Request(url, headers=dict(headers))
    return _insist(get, lambda: json.loads(_body(get)))


def once(request: urllib.request.Request) -> HTTPResponse:
    """Sends a request once. Raises Status for an error, OSError or HTTPException for no answer."""
    try:
        return urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        raise Status(error.code, _reason(error)) from None


def send(request: urllib.request.Request) -> HTTPResponse:
    """Sends a request, with retries while the other side is busy, restarting or unreachable.

    The caller handles errors while it reads the body.
    """
    return _insist(request, lambda: once(request))


def _body(request: urllib.request.Request) -> bytes:
    with once(request) as answer:
        return answer.read()


def _insist(request: urllib.request.Request, attempt: Callable[[], T]) -> T:  # noqa: UP047
    """Returns the result of `attempt`, with retries while they may help. Raises only Status and Problem."""
    for pause in (*PAUSES, None):
        try:
            return attempt()
        except Status as error:
            if pause is None or not error.passing:
                raise
        # Before ValueError: some of http.client's are both.
        except (OSError, HTTPException) as error:
            if pause is None:
                raise Problem(
                    f"{request.host} does not answer ({getattr(error, 'reason', error)}): the subnet needs "
                    f"Private Google Access or Cloud NAT."
                ) from None
        except ValueError as error:
            if pause is None:
                raise Problem(
                    f"{request.host} sends no answer of Google's ({error}): check whether a proxy is in "
                    f"between."
                ) from None
        time.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


def _reason(error: urllib.error.HTTPError) -> str:
    """Returns the API's message, or else the status line's."""
    try:
        return str(json.loads(error.read())["error"]["message"])
    except (ValueError, KeyError, TypeError, OSError, HTTPException):
        return str(error.reason)
