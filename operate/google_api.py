"""Google's REST APIs with the user's own credentials: one sentence for each way in which a call fails."""

# The library makes its methods at run time from discovery documents, and has no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from typing import Any, cast

import google.auth.exceptions
import googleapiclient.discovery
import googleapiclient.errors
import httplib2

from tools.support.errors import Refusal


def client(api: str, version: str) -> Any:
    """Returns the client of an API, from the discovery document that comes with the library.

    Raises Refusal on a machine without a login.
    """
    try:
        return googleapiclient.discovery.build(api, version, static_discovery=True, cache_discovery=False)
    except google.auth.exceptions.GoogleAuthError:
        raise _no_credentials(f"call Google's API {api}") from None


def call(request: Any, what: str, role: str) -> dict[str, Any]:
    """Returns the answer to a request; `what` completes "Google does not let you …".

    `role` is the role that the call needs. Raises Refusal, and LookupError for what does not exist.
    """
    try:
        return cast(dict[str, Any], request.execute(num_retries=2))
    except googleapiclient.errors.HttpError as error:
        status, reason = int(error.resp.status), " ".join(str(error.reason).split()).rstrip(".")
        if status == 404:
            raise LookupError(reason) from None
        if status == 403:
            raise Refusal(
                f"Google does not let you {what} ({reason}): ask the project's owner for {role}."
            ) from None
        raise Refusal(
            f"Google did not {what} (HTTP {status}: {reason}): run the same command again."
        ) from None
    # A login is refreshed over the network, and the failure to reach it is an error of the login, too.
    except (google.auth.exceptions.TransportError, OSError, httplib2.HttpLib2Error) as error:
        raise Refusal(
            f"Google did not answer a request to {what} ({type(error).__name__}): check the network, and run "
            "the same command again."
        ) from None
    except google.auth.exceptions.GoogleAuthError:
        raise _no_credentials(what) from None


def _no_credentials(what: str) -> Refusal:
    """Returns the refusal for a machine without a login that works."""
    return Refusal(
        f"Google credentials are needed to {what}, and this machine has none that work: run `gcloud auth "
        "application-default login`."
    )
