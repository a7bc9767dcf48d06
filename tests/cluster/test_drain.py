"""A stop under load: streams in flight end normally, and nothing hangs."""

import json
import threading
import time

import httpx
import pytest

from local.commands.kubectl import kubectl
from tests.cluster.commands import Server
from tests.cluster.rollouts import Checkout

pytestmark = pytest.mark.usefixtures("checkout")
"""Another boot follows, and the small engine's is shorter."""
SLOTS = Checkout.ENGINE["max_num_seqs"]
"""Requests that the server runs at once."""
STREAMS = SLOTS + 2
TOKENS = 100


def stream(server: Server, started: threading.Semaphore, results: list[str]) -> None:
    """Run one client: read a long streamed answer to its end and record how it ended."""
    body = {
        "model": "tiny-gemma4-moe",
        "messages": [{"role": "user", "content": "Tell me everything."}],
        "max_tokens": TOKENS,
        "ignore_eos": True,
        "stream": True,
    }
    pieces = 0
    try:
        with (
            server.client() as client,
            client.stream("POST", "/v1/chat/completions", json=body, timeout=600) as answer,
        ):
            if answer.status_code != 200:
                started.release()
                results.append(f"refused {answer.status_code}")
                return
            for line in answer.iter_lines():
                if line == "data: [DONE]":
                    results.append("complete")
                    return
                if line.startswith("data: "):
                    pieces += 1
                    if pieces == 2:
                        started.release()
                    if "error" in json.loads(line.removeprefix("data: ")):
                        results.append("clean error")
                        return
            results.append(f"cut after {pieces} pieces")
    except httpx.HTTPError as error:
        results.append(f"broken after {pieces} pieces: {type(error).__name__}")


def test_deleting_the_pod_under_load_leaves_no_stream_hanging(server: Server) -> None:
    started = threading.Semaphore(0)
    results: list[str] = []
    threads = [threading.Thread(target=stream, args=(server, started, results)) for _ in range(STREAMS)]
    for thread in threads:
        thread.start()
    # The other two are queued.
    for _ in range(SLOTS):
        assert started.acquire(timeout=600)
    pods = json.loads(kubectl("get", "pods", "-n", "tpuserve", "-o", "json"))["items"]
    grace = pods[0]["spec"]["terminationGracePeriodSeconds"]
    began = time.monotonic()
    kubectl("delete", "pod", pods[0]["metadata"]["name"], "-n", "tpuserve", "--wait=false")
    for thread in threads:
        thread.join(timeout=grace + 120)
    assert not any(thread.is_alive() for thread in threads), "a stream hangs"
    assert time.monotonic() - began < grace + 120
    assert len(results) == STREAMS and set(results) <= {"complete", "clean error"}, results
    # The two queued streams may meet the end of the drain; the streams that were being answered do not.
    assert results.count("complete") >= STREAMS - 2, results
