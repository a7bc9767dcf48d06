"""Requests of clients: answers, refusals with a sentence, and a server that continues."""

import json

import httpx
import pytest

from local.commands.kubectl import kubectl
from tests.cluster.commands import Server

CHAT = "/v1/chat/completions"


def chat(**extra: object) -> dict[str, object]:
    """Returns a small chat request."""
    return {
        "model": "tiny-gemma4-moe",
        "messages": [{"role": "user", "content": "Hello"}],
        "max_tokens": 8,
        **extra,
    }


def test_a_chat_completion_has_content(server: Server) -> None:
    with server.client() as client:
        answer = client.post(CHAT, json=chat())
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"]
    assert answer.json()["usage"]["completion_tokens"] == 8


@pytest.mark.parametrize(
    ("extra", "word"), [({"prompt_logprobs": 1}, "prompt_logprobs"), ({"seed": 7}, "seed")]
)
def test_requests_that_hurt_the_server_get_a_sentence(
    server: Server, extra: dict[str, object], word: str
) -> None:
    with server.client() as client:
        refused = client.post(CHAT, json=chat(**extra))
        assert refused.status_code == 400
        assert word in refused.json()["error"]["message"]
        assert client.post(CHAT, json=chat()).status_code == 200


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic x"}])
@pytest.mark.parametrize("path", ["/v1/models", CHAT, "/tokenize", "/invocations"])
def test_without_the_key_nothing_is_served(server: Server, header: dict[str, str], path: str) -> None:
    call = httpx.get if path == "/v1/models" else httpx.post
    assert call(f"{server.url}{path}", headers=header, timeout=120, trust_env=False).status_code == 401


def test_health_and_metrics_are_open_and_real(server: Server) -> None:
    assert httpx.get(f"{server.url}/health", timeout=120, trust_env=False).status_code == 200
    metrics = httpx.get(f"{server.url}/metrics", timeout=120, trust_env=False).text
    for name in ("vllm:num_requests_running", "vllm:kv_cache_usage_perc", "vllm:time_to_first_token_seconds"):
        assert name in metrics


def test_an_image_is_understood_as_input(server: Server) -> None:
    pixel = (
        "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAFklEQVR4nGP4z8BAEiJN9aiGUQ1DSgMAMhX/Ad0C"
        "TXgAAAAASUVORK5CYII="
    )
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{pixel}"}}
    words = {"type": "text", "text": "What is this?"}
    with server.client() as client:
        answer = client.post(CHAT, json=chat(messages=[{"role": "user", "content": [picture, words]}]))
    assert answer.status_code == 200, answer.text
    assert answer.json()["usage"]["prompt_tokens"] > 10


def test_a_client_in_the_cluster_reaches_the_service_by_name(server: Server) -> None:
    """Uses DNS, ClusterIP and NetworkPolicy from inside a pod, with the image that is already there."""
    image = json.loads(kubectl("get", "pods", "-n", "tpuserve", "-o", "json"))["items"][0]["spec"][
        "containers"
    ][0]["image"]
    script = (
        "import urllib.request as u;"
        "print(u.urlopen('http://vllm.tpuserve.svc.cluster.local:8000/metrics', timeout=120).read().decode())"
    )
    pod = ("pod", "client", "-n", "default")
    kubectl("delete", *pod, "--ignore-not-found", "--wait")
    kubectl(
        "run", "client", "-n", "default", "--image", image, "--image-pull-policy", "IfNotPresent",
        "--restart", "Never", "--overrides",
        json.dumps({"spec": {"tolerations": [{"key": "google.com/tpu", "operator": "Exists"}]}}),
        "--command", "--", "python3", "-c", script,
    )  # fmt: skip
    # An attached `kubectl run` prints nothing when the container ends before it is attached.
    kubectl("wait", *pod, "--for=jsonpath={.status.phase}=Succeeded", "--timeout=180s")
    text = kubectl("logs", "client", "-n", "default")
    kubectl("delete", *pod, "--wait=false")
    assert "vllm:num_requests_running" in text
