"""Thin client of Google's REST APIs, with the caller's own login.

The documented methods are called directly: google-auth is in the requirements anyway, and the client
libraries of these eight APIs would add more than ten packages for a dozen reads.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, cast

import google.auth
import google.auth.exceptions
import google.oauth2.credentials
import requests
from google.auth.transport.requests import AuthorizedSession, Request
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

Api = Literal[
    "certificatemanager",
    "cloudquotas",
    "cloudresourcemanager",
    "compute",
    "container",
    "secretmanager",
    "serviceusage",
    "storage",
]

ENDPOINTS: Mapping[Api, str] = {
    "certificatemanager": "https://certificatemanager.googleapis.com/v1",
    "cloudquotas": "https://cloudquotas.googleapis.com/v1",
    "cloudresourcemanager": "https://cloudresourcemanager.googleapis.com/v3",
    "compute": "https://compute.googleapis.com/compute/v1",
    "container": "https://container.googleapis.com/v1",
    "secretmanager": "https://secretmanager.googleapis.com/v1",
    "serviceusage": "https://serviceusage.googleapis.com/v1",
    "storage": "https://storage.googleapis.com/storage/v1",
}

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
TIMEOUT_SECONDS = 20
"""Seconds to wait for one answer."""
RETRY = Retry(total=2, backoff_factor=0.5, status_forcelist=(429, 500, 502, 503, 504), raise_on_status=False)

NO_LOGIN = "run `gcloud auth application-default login`"


class NoLogin(Exception):
    """This machine has no login at Google that works. The text is a sentence without its period."""


class Absent(Exception):
    """Google has no resource of this name, or does not show it to this caller."""


class Refused(Exception):
    """A request that Google did not grant. The text says why and what to do, without a period."""


class Google:
    """Google's APIs as one caller sees them. `endpoints` are base URLs, each with its version."""

    def __init__(
        self, project: str, session: requests.Session, endpoints: Mapping[Api, str] = ENDPOINTS
    ) -> None:
        self._project = project
        self._session = session
        self._endpoints = endpoints

    def get(self, api: Api, path: str, **parameters: str | list[str]) -> Mapping[str, Any]:
        """Returns the resource at `path`. Raises Absent and Refused."""
        return self._answer("GET", api, path, parameters, None)

    def post(self, api: Api, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns the answer to a method that reads, such as testIamPermissions. Raises Absent and
        Refused."""
        return self._answer("POST", api, path, {}, body)

    def pages(self, api: Api, path: str, **parameters: str) -> Iterator[Mapping[str, Any]]:
        """Yields the answer for each page of a list. Raises Absent and Refused."""
        page = self.get(api, path, **parameters)
        yield page
        while token := page.get("nextPageToken"):
            page = self.get(api, path, **parameters, pageToken=str(token))
            yield page

    def _answer(
        self,
        method: str,
        api: Api,
        path: str,
        parameters: Mapping[str, str | list[str]],
        body: Mapping[str, Any] | None,
    ) -> Mapping[str, Any]:
        url = f"{self._endpoints[api]}/{path}"
        try:
            answer = self._session.request(
                method, url, params=dict(parameters), json=body, timeout=TIMEOUT_SECONDS
            )
        except google.auth.exceptions.RefreshError:
            raise Refused(f"the login at Google has expired: {NO_LOGIN}") from None
        except (requests.RequestException, google.auth.exceptions.TransportError) as error:
            reason = type(error).__name__
            raise Refused(f"{api} gave no answer ({reason}): run the same command again") from None
        content = _json(answer)
        if answer.status_code == requests.codes.not_found:
            raise Absent
        if not answer.ok:
            raise Refused(_refusal(self._project, api, answer.status_code, content))
        return content


def login(project: str) -> Google:
    """Returns Google as the application default credentials see it. Raises NoLogin."""
    try:
        # google-auth has only a part of its types.
        default = cast(Callable[..., tuple[Any, str | None]], google.auth.default)  # pyright: ignore[reportUnknownMemberType]
        credentials, _ = default(scopes=SCOPES)
        if isinstance(credentials, google.oauth2.credentials.Credentials):
            # Some APIs refuse a user's login that names no project to count the requests for
            # (https://cloud.google.com/docs/authentication/troubleshoot-adc#user-creds-client-based).
            user = cast(Any, credentials)
            credentials = user.with_quota_project(user.quota_project_id or project)
        credentials.refresh(Request())
    except google.auth.exceptions.DefaultCredentialsError:
        raise NoLogin(f"this machine has no application default credentials: {NO_LOGIN}") from None
    except google.auth.exceptions.TransportError:
        raise NoLogin("Google gave no answer to a request for the login: check the network") from None
    except google.auth.exceptions.GoogleAuthError as error:
        reason = type(error).__name__
        raise NoLogin(f"the application default credentials do not work ({reason}): {NO_LOGIN}") from None
    session = AuthorizedSession(credentials)
    session.mount("https://", HTTPAdapter(max_retries=RETRY))
    return Google(project, session)


def _json(answer: requests.Response) -> Mapping[str, Any]:
    try:
        content: object = answer.json()
    except requests.JSONDecodeError:
        return {}
    return cast(Mapping[str, Any], content) if isinstance(content, dict) else {}


def _refusal(project: str, api: Api, status: int, content: Mapping[str, Any]) -> str:
    """Returns why Google refused a request, and what to do.

    Form of the errors: https://cloud.google.com/apis/design/errors#http_mapping.
    """
    error: Any = content.get("error")
    if not isinstance(error, dict):
        return f"{api} answered {status}: run the same command again"
    fields = cast(Mapping[str, Any], error)
    for detail in fields.get("details", []):
        if detail.get("reason") == "SERVICE_DISABLED":
            service = detail.get("metadata", {}).get("service", f"{api}.googleapis.com")
            return f"{service} is disabled: run `gcloud services enable {service} --project={project}`"
    message = str(fields.get("message", "")).strip().splitlines()[:1] or ["no reason given"]
    reason = message[0].rstrip(".")
    match status:
        case requests.codes.unauthorized:
            return f"Google does not accept the login ({reason}): {NO_LOGIN}"
        case requests.codes.forbidden:
            return f"Google refuses it ({reason}): ask the owner of {project} for a role that allows it"
        case _:
            return f"{api} answered {status} ({reason}): run the same command again"
