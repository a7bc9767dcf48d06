"""Answers of Google's that break off: asked for again, then one sentence, and no reason to fail a cache."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from agent.compile_cache.records import Store
from agent.compile_cache.restore import attempt
from agent.store import gcp_api, gcs
from agent.store.gcp_api import Problem
from agent.vm import boot_status

Bodies = Callable[..., str]
SECONDS = 60
"""Bounds a failure; a busy machine takes its time."""


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bodies]:
    """Sets what a server answers, one after another and then always the last; returns its URL.

    None is an answer that ends in the middle, "" one that never comes, "no HTTP" no HTTP at all.
    """
    left: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            body = left.pop(0) if len(left) > 1 else left[0]
            if body == "no HTTP":
                self.wfile.write(b"220 mail.example\r\n")
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(body or "1234")))
            self.end_headers()
            self.wfile.write((body or '{"').encode())
            if body == "":
                if left[0] != "":  # the next question is answered, if not at once
                    monkeypatch.setattr(gcp_api, "TIMEOUT_SECONDS", SECONDS)
                self.wfile.flush()
                silence.wait(SECONDS)

        do_PUT = do_GET

    silence = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.005,), daemon=True).start()
    monkeypatch.setattr(gcp_api, "PAUSES", (0, 0))

    def answer(*bodies: str | None) -> str:
        left[:] = bodies
        monkeypatch.setattr(gcp_api, "TIMEOUT_SECONDS", 0.1 if "" in bodies else SECONDS)
        return f"http://127.0.0.1:{server.server_port}"

    yield answer
    silence.set()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    "broken", [None, "", "no HTTP", "<html>"], ids=["cut", "silent", "no HTTP", "no JSON"]
)
def test_an_answer_that_breaks_off_is_asked_for_again(answers: Bodies, broken: str | None) -> None:
    assert gcp_api.read(answers(broken, broken, '{"a": 1}')) == {"a": 1}


SENTENCES = (
    (None, " does not answer (IncompleteRead(2 bytes read, 2 more expected)): the subnet needs Private "),
    ("", " does not answer (timed out): the subnet needs Private Google Access or Cloud NAT."),
    ("<html>", " sends no answer of Google's (Expecting value: "),
)


@pytest.mark.parametrize(("broken", "sentence"), SENTENCES)
def test_one_that_always_does_is_a_sentence(answers: Bodies, broken: str | None, sentence: str) -> None:
    with pytest.raises(Problem) as problem:
        gcp_api.read(answers(broken))
    assert sentence in str(problem.value)


def test_an_instance_attribute_is_asked_for_again(answers: Bodies, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gcp_api, "METADATA", answers(None, "vm@p.iam"))
    assert gcp_api.account() == "vm@p.iam"


@pytest.mark.parametrize("broken", [None, "", "<html>"], ids=["cut", "silent", "no JSON"])
def test_a_listing_that_breaks_off_is_a_miss_of_the_cache(
    answers: Bodies, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, broken: str | None
) -> None:
    monkeypatch.setenv(gcs.EMULATOR, answers(broken))
    restored = attempt(Store("b", "xla/0.tar"), tmp_path / "xla")
    assert restored.result == "failed"
    assert restored.sentence.startswith("not restored (127.0.0.1:")
    assert restored.sentence.endswith("): this boot compiles")
    assert list((tmp_path / "xla").iterdir()) == []


def test_a_small_object_is_read_whole_or_not_at_all(answers: Bodies, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(gcs.EMULATOR, answers('{"a": 1}', None))
    assert gcs.read("b", "baselines/v6e-4/a.json") == b'{"a": 1}'
    with pytest.raises(Problem, match=r"gs://b/baselines/v6e-4/a.json broke off \(IncompleteRead"):
        gcs.read("b", "baselines/v6e-4/a.json")


def test_a_metadata_server_that_speaks_no_http_does_not_end_a_boot(
    answers: Bodies, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(boot_status, "METADATA", answers("no HTTP"))
    monkeypatch.setattr(boot_status, "STATUS", tmp_path / "status.json")
    boot_status.begin("r")
    assert '"booting"' in boot_status.STATUS.read_text()
