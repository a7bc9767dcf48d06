"""Client of the local server: sets the API key, sends prompts and streams the answers."""

import base64
import contextlib
import json
import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from local.commands.kubectl import get, kubectl
from serving.deploy import container_layout
from tools.support.progress import Refusal, step

KEY_PROPAGATION_SECONDS = 120.0
"""Seconds for a new key to reach the pod: the kubelet refreshes mounted Secrets within its sync period (60 s
by default) plus the age of its cache."""

SHOWN = 200
"""Characters shown of an answer that is not an OpenAI API error."""

BOOT_SECONDS = 900.0
"""Seconds to wait for the server: the startup probe allows 600 s, and a restarted node also has to restart
its pods."""


def endpoint() -> str:
    """Returns the base URL of the Service by its cluster IP, which works on the node as it does in a pod.

    Raises Refusal when there is no Service.
    """
    service = get("service", container_layout.SERVER, container_layout.NAMESPACE)
    if service is None:
        raise Refusal("There is no server to send a request to yet: run `make up` to start one.")
    return f"http://{service['spec']['clusterIP']}:{container_layout.PORT}"


def set_key() -> None:
    """Generate a new API key and store it as a Secret; the running server picks it up without a restart."""
    if get("namespace", container_layout.NAMESPACE, "") is None:
        raise Refusal("The namespace for the API key does not exist yet: run `make up` to create it.")
    value = base64.b64encode(secrets.token_urlsafe(32).encode()).decode()
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": container_layout.API_KEY, "namespace": container_layout.NAMESPACE},
        "data": {container_layout.API_KEY: value},
    }
    # The value goes through standard input, so no argument list shows it. Server-side apply keeps it out of
    # the last-applied annotation.
    words = ("apply", "--server-side", "--field-manager", "tpuserve-key", "--force-conflicts", "-f", "-")
    kubectl(*words, given=json.dumps(secret))


def key() -> str | None:
    """Returns the API key that the cluster holds, or None when there is none yet."""
    secret = get("secret", container_layout.API_KEY, container_layout.NAMESPACE)
    return None if secret is None else base64.b64decode(secret["data"][container_layout.API_KEY]).decode()


def wait_for_key() -> None:
    """Wait until the server accepts the key: a mounted Secret reaches the pod with a delay. Raises
    Refusal."""
    deadline = time.monotonic() + KEY_PROPAGATION_SECONDS
    with step("API key: wait for the server to read it"):
        answered = False
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                answer = _get("/v1/models", _headers())
                if answer.status_code != httpx.codes.UNAUTHORIZED:
                    return
                answered = True
            time.sleep(1)
    if not answered:
        raise Refusal(
            "The server has stopped answering: read `make logs` for the reason, then run `make up` again."
        )
    raise Refusal(
        "The server still rejects the API key: read `make logs` for the reason, or set a new key "
        "with `make key`."
    )


def wait_until_serving() -> None:
    """Wait until the server answers its health check. Raises Refusal after BOOT_SECONDS.

    A `pulumi up` that changes nothing does not wait, and after a restart of the cluster the same release
    starts again.
    """
    deadline = time.monotonic() + BOOT_SECONDS
    with step("the server answers"):
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                if _get("/health", {}).status_code == httpx.codes.OK:
                    return
            time.sleep(1)
    raise Refusal(
        f"The server has not answered for {BOOT_SECONDS:.0f} s: see `make logs` for how far it has started "
        "and `make status` for whether its pod runs, then run `make up` again."
    )


def ask(prompt: str, max_tokens: int) -> Iterator[str]:
    """Stream the answer to one chat message, piece by piece. Raises Refusal when the answer is incomplete."""
    body = {
        "model": model_name(),
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": max_tokens,
        "stream": True,
    }
    url = f"{endpoint()}/v1/chat/completions"
    request = {"json": body, "headers": _headers(), "timeout": httpx.Timeout(10, read=120)}
    try:
        with httpx.stream("POST", url, trust_env=False, **request) as answer:
            if answer.status_code != httpx.codes.OK:
                answer.read()
                raise Refusal(f"The server answered {answer.status_code}: {_message(answer)}")
            for line in answer.iter_lines():
                if line.startswith("data: ") and line != "data: [DONE]":
                    event = json.loads(line.removeprefix("data: "))
                    if "error" in event:
                        # The status code was sent before the first word, so only this event reports the
                        # failure.
                        raise Refusal(
                            f"The server broke off the answer: {_reason(event, line)}. `make logs` shows "
                            "more; then ask again."
                        )
                    for choice in event.get("choices", []):
                        yield choice["delta"].get("content") or choice["delta"].get("reasoning") or ""
    except httpx.TransportError as error:
        raise Refusal(
            f"The server broke off the answer ({type(error).__name__}): `make logs` shows why."
        ) from None


def model_name() -> str:
    """Returns the name under which the server serves its only model. Raises Refusal when it does not
    answer."""
    try:
        answer = _get("/v1/models", _headers())
    except httpx.TransportError:
        raise Refusal("The server does not answer yet: run `make up`, which waits for it.") from None
    if answer.status_code != httpx.codes.OK:
        raise Refusal(f"The server answered {answer.status_code}: {_message(answer)}")
    return answer.json()["data"][0]["id"]


def _get(path: str, headers: Mapping[str, str]) -> httpx.Response:
    """GET from the server directly: a proxy from the environment does not reach cluster addresses and must
    not see the key."""
    return httpx.get(f"{endpoint()}{path}", headers=headers, timeout=10, trust_env=False)


def _headers() -> dict[str, str]:
    held = key()
    return {} if held is None else {"Authorization": f"Bearer {held}"}


def _message(answer: httpx.Response) -> str:
    try:
        return _reason(answer.json(), answer.text)
    except ValueError:
        return answer.text[:SHOWN] or "nothing"


def _reason(document: Any, text: str) -> str:
    """Returns the message of an error `document`, or the beginning of its `text`."""
    try:
        return str(document["error"]["message"]).rstrip(".")
    except (KeyError, TypeError):
        return text[:SHOWN] or "nothing"
