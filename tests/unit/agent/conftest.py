"""A bucket on loopback, which the code under test takes for an emulator of Cloud Storage."""

import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from agent.store import gcp_api, gcs
from tests.tpu_vm import cloud
from tests.unit.agent.bucket import Bucket


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    held = threading.Event()
    monkeypatch.setattr(cloud, "FOLDER", tmp_path)
    monkeypatch.setattr(cloud, "HELD", held)
    server = ThreadingHTTPServer(("127.0.0.1", 0), cloud.Apis)
    # The end waits for every answer: a later one would be logged wherever the next test has its folder.
    server.daemon_threads = False
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    monkeypatch.setenv(gcs.EMULATOR, f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(gcp_api, "PAUSES", (0, 0))
    monkeypatch.setattr(gcp_api, "account", lambda: "vm@p.iam")
    yield Bucket(tmp_path)
    held.set()
    server.shutdown()
    server.server_close()
