"""Google's metadata server and JSON APIs, with the VM's own identity. Raises `Problem`, one sentence each."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from http.client import HTTPException, HTTPResponse
from types import MappingProxyType
from typing import IO, Any, TypeVar

T = TypeVar("T")
"""Python 3.10, which the VM has, knows no type parameters."""

METADATA = "http://metadata.google.internal/computeMetadata/v1/instance"
PAUSES = (1, 2, 4, 8)
"""Seconds between attempts; whoever has not answered after them does not answer."""

TIMEOUT_SECONDS = 60


class Problem(Exception):
    """A failure that ends the stage. The text is the whole message: what is wrong and what to change."""


class Status(Exception):
    """An answer that is not a success."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"HTTP {code}: {reason}")
        self.code = code

    @property
    def passing(self) -> bool:
        """Whether asking again may change it."""
        return self.code == 429 or self.code >= 500


def metadata(path: str) -> str:
    """An instance attribute from the metadata server. Raises Problem, or Status when it does not exist."""
    request = urllib.request.Request(f"{METADATA}/{path}", headers={"Metadata-Flavor": "Google"})
    return _insist(request, lambda: _body(request).decode())


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


def request(
    url: str,
    data: bytes | IO[bytes] | None = None,
    headers: Mapping[str, str] = MappingProxyType({}),
    method: str | None = None,
) -> urllib.request.Request:
    """A request to a Google API as the VM; POST when it has `data`, else GET."""
    headers = {"Authorization": f"Bearer {token()}", **dict(headers)}
    return urllib.request.Request(url, data, headers, method=method)


def call(url: str, headers: Mapping[str, str] = MappingProxyType({})) -> HTTPResponse:
    """GET `url` of a Google API as the VM. Raises Status for an answer that is final, Problem for silence."""
    return send(request(url, headers=headers))


def read(url: str) -> Any:
    """The JSON answer to a GET. Raises Status for one that is final, Problem for silence or half a one."""
    asked = request(url)
    return _insist(asked, lambda: json.loads(_body(asked)))


def once(request: urllib.request.Request) -> HTTPResponse:
    """Send a single time. Raises Status for any answer but success, OSError or HTTPException for none."""
    try:
        return urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        raise Status(error.code, _reason(error)) from None


def send(request: urllib.request.Request) -> HTTPResponse:
    """Send, and send again while the other side is busy, restarting or out of reach.

    What goes wrong while the caller reads the body is the caller's.
    """
    return _insist(request, lambda: once(request))


def _body(request: urllib.request.Request) -> bytes:
    with once(request) as answer:
        return answer.read()


def _insist(request: urllib.request.Request, attempt: Callable[[], T]) -> T:  # noqa: UP047
    """What `attempt` returns, tried again while that may help. Raises Status and Problem, nothing else."""
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
                    f"{request.host} answers what is no answer of Google's ({error}): see whether a proxy "
                    f"stands between."
                ) from None
        time.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


def _reason(error: urllib.error.HTTPError) -> str:
    """The API's own message, else the status line's."""
    try:
        return str(json.loads(error.read())["error"]["message"])
    except (ValueError, KeyError, TypeError, OSError, HTTPException):
        return str(error.reason)
