"""What a client of the local server does: hold the API key, ask, and read the answer as it comes."""

import base64
import contextlib
import json
import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from local.kubectl import get, kubectl
from local.progress import Refusal, step
from serving.deploy import container_layout

KEY_PROPAGATION_SECONDS = 120.0
"""The kubelet refreshes mounted Secrets within its sync period, 60 s unless set, plus its cache's age."""

SHOWN = 200
"""Characters of an answer that is no error as OpenAI's API has them."""

BOOT_SECONDS = 900.0
"""The startup probe gives a boot 600 s; a restarted node also has to bring its pods back."""


def endpoint() -> str:
    """Base URL of the Service by its cluster address, which answers on the node as in a pod."""
    service = get("service", container_layout.SERVER, container_layout.NAMESPACE)
    if service is None:
        raise Refusal("There is no server to ask yet. `make up` starts one.")
    return f"http://{service['spec']['clusterIP']}:{container_layout.PORT}"


def set_key() -> None:
    """Generate a new API key and store it as a Secret; the running server takes it without a restart."""
    if get("namespace", container_layout.NAMESPACE, "") is None:
        raise Refusal("There is no namespace for the key yet. `make up` makes it.")
    value = base64.b64encode(secrets.token_urlsafe(32).encode()).decode()
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": container_layout.API_KEY, "namespace": container_layout.NAMESPACE},
        "data": {container_layout.API_KEY: value},
    }
    # By standard input, so that the value is in no argument list; server-side, so in no annotation.
    words = ("apply", "--server-side", "--field-manager", "tpuserve-key", "--force-conflicts", "-f", "-")
    kubectl(*words, given=json.dumps(secret))


def key() -> str | None:
    """The API key as the cluster holds it, or None before there is one."""
    secret = get("secret", container_layout.API_KEY, container_layout.NAMESPACE)
    return None if secret is None else base64.b64decode(secret["data"][container_layout.API_KEY]).decode()


def wait_for_key() -> None:
    """Wait until the server accepts the key: a mounted Secret reaches the pod with some delay."""
    deadline = time.monotonic() + KEY_PROPAGATION_SECONDS
    with step("API key: waiting for the server to see it"):
        answered = False
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                answer = _get("/v1/models", _headers())
                if answer.status_code != httpx.codes.UNAUTHORIZED:
                    return
                answered = True
            time.sleep(1)
    if not answered:
        raise Refusal("The server has stopped answering. `make logs` shows why; then `make up` again.")
    raise Refusal("The server still refuses the API key. `make logs` shows why; `make key` sets a new one.")


def wait_until_serving() -> None:
    """Wait until the server answers its health check: a `pulumi up` that changes nothing waits for nobody,
    and after a restart of the cluster the same release boots again. Raises Refusal when it takes too long."""
    deadline = time.monotonic() + BOOT_SECONDS
    with step("the server answers"):
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                if _get("/health", {}).status_code == httpx.codes.OK:
                    return
            time.sleep(1)
    raise Refusal(
        f"The server has not answered for {BOOT_SECONDS:.0f} s. `make logs` shows how far its boot is, "
        "`make status` whether its pod runs; then `make up` again."
    )


def ask(prompt: str, max_tokens: int) -> Iterator[str]:
    """Stream the answer to one chat message, piece by piece. Raises Refusal when it does not come whole."""
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
                        # The status was sent before the first word, so this is all that tells of a failure.
                        raise Refusal(
                            f"The server broke off: {_reason(event, line)}. `make logs` shows more; then ask "
                            "again."
                        )
                    for choice in event.get("choices", []):
                        yield choice["delta"].get("content") or choice["delta"].get("reasoning") or ""
    except httpx.TransportError as error:
        raise Refusal(f"The server broke off ({type(error).__name__}): `make logs` shows why.") from None


def model_name() -> str:
    """The name under which the server serves its one model."""
    try:
        answer = _get("/v1/models", _headers())
    except httpx.TransportError:
        raise Refusal("The server does not answer yet. `make up` waits for it.") from None
    if answer.status_code != httpx.codes.OK:
        raise Refusal(f"The server answered {answer.status_code}: {_message(answer)}")
    return answer.json()["data"][0]["id"]


def _get(path: str, headers: Mapping[str, str]) -> httpx.Response:
    """GET from the server itself: a proxy of the environment reaches no cluster address and is no place for
    the key."""
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
    """What an error's `document` says, or the beginning of its `text`."""
    try:
        return str(document["error"]["message"]).rstrip(".")
    except (KeyError, TypeError):
        return text[:SHOWN] or "nothing"
