"""Counters of a server, from the text of its metrics."""

import http.server
import threading
from collections.abc import Iterator

import pytest

from agent.load_test import counters
from agent.load_test.counters import Addresses, Counters, NotReadable, parse

SERVER = """\
# HELP vllm:prefix_cache_hits_total Prefix cache hits.
vllm:prefix_cache_hits_total{engine="0",model_name="tiny"} 96.0
vllm:num_preemptions_total{engine="0",model_name="tiny"} 3.0
vllm:request_success_total{engine="0",finished_reason="stop",model_name="tiny"} 10.0
vllm:request_success_total{engine="0",finished_reason="length",model_name="tiny"} 1.2e+02
vllm:num_requests_running{engine="0",model_name="tiny"} 2.0
vllm:num_requests_waiting{engine="0",model_name="tiny"} 1.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="tiny",reason="capacity"} 1.0
"""
SIDECAR = "tpuserve_compiled_after_warm_up 4.0\n"


def test_the_counters_are_sums_over_the_labels() -> None:
    expected = Counters(prefix_cache_hits=96, preemptions=3, ended=130, open=3, compiled=4)
    assert parse(SERVER, SIDECAR) == expected


def test_a_server_without_a_count_of_programs_is_read_without_it() -> None:
    assert parse(SERVER, None).compiled is None
    assert parse(SERVER, "tpuserve_release_info 1.0\n").compiled is None


def test_a_missing_counter_is_named() -> None:
    text = SERVER.replace("num_preemptions", "preemptions_of_another_version")
    with pytest.raises(NotReadable, match=r"no vllm:num_preemptions_total; serve with vLLM 0\.32"):
        parse(text, None)


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """Yields the URL of a server, and the texts that it answers one after the other; the last one stays."""
    texts: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = texts.pop(0) if len(texts) > 1 else texts[0]
            self.send_response(200)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}", texts
        running.shutdown()


def quiet(text: str) -> str:
    return text.replace(
        'num_requests_running{engine="0",model_name="tiny"} 2.0', "num_requests_running 0"
    ).replace('num_requests_waiting{engine="0",model_name="tiny"} 1.0', "num_requests_waiting 0")


def test_the_counters_are_read_when_the_last_request_has_ended(server: tuple[str, list[str]]) -> None:
    url, texts = server
    texts += [SERVER, SERVER, quiet(SERVER), quiet(SERVER)]
    pauses: list[float] = []
    assert counters.idle(Addresses(url, None), pauses.append).open == 0
    assert pauses == [1, 1, counters.SETTLE_SECONDS]


def test_a_server_that_others_use_is_refused(server: tuple[str, list[str]]) -> None:
    url, texts = server
    texts += [SERVER]
    with pytest.raises(NotReadable, match="open requests for 60 s; run the load test while it has no other"):
        counters.idle(Addresses(url, None), lambda _: None)


def test_a_server_that_is_gone_is_named() -> None:
    with pytest.raises(NotReadable, match=r"http://127\.0\.0\.1:9/metrics does not answer"):
        counters.read(Addresses("http://127.0.0.1:9", None))
