"""Client of the local server: sets the API key, finds the Service and waits for an answer."""

import base64
import contextlib
import json
import secrets
import time

import httpx

from local.commands import pulumi_stack
from local.commands.kubectl import get, kubectl
from serving.deploy import container_layout
from tools.support import chat
from tools.support.progress import Refusal, step

KEY_PROPAGATION_SECONDS = 120.0
"""Seconds for a new key to reach the pod: the kubelet refreshes mounted Secrets within its sync period (60 s
by default) plus the age of its cache."""

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


def ensure_key() -> None:
    """Set an API key unless there is one. Makes its namespace, which `pulumi up` takes over."""
    if get("namespace", container_layout.NAMESPACE, "") is None:
        kubectl("create", "namespace", container_layout.NAMESPACE)
    if key() is None:
        set_key()


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
                answer = server().get("/v1/models")
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
    """Wait until an accepted server answers. Raises Refusal after BOOT_SECONDS.

    A `pulumi up` that changes nothing does not wait, and after a restart of the cluster the same release
    starts again.
    """
    deadline = time.monotonic() + BOOT_SECONDS
    with step("the server answers"):
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                if chat.Server(pulumi_stack.STACK, endpoint(), None).get("/ready").is_success:
                    return
            time.sleep(1)
    raise Refusal(
        f"The server has not answered for {BOOT_SECONDS:.0f} s: see `make logs` for how far it has started "
        "and `make status` for whether its pod runs, then run `make up` again."
    )


def server() -> chat.Server:
    """Returns the server behind the Service, with the present key. Raises Refusal when there is none."""
    return chat.Server(pulumi_stack.STACK, endpoint(), key())
