"""Machines that boot as a TPU VM does. They need root, loop devices and the server's environment."""

import itertools
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Protocol

import pytest

from agent.vm import gcp_api, gcs
from local import image
from tests.tpu_vm import cloud
from tests.tpu_vm.lab import Lab
from tests.tpu_vm.store import Store
from tests.tpu_vm.tree import ensure_tree


class MakeLab(Protocol):
    """Factory of labs that the end of the test takes down."""

    def __call__(self, *, disk_bytes: int = 6 * 2**30, real: bool = False) -> Lab: ...


@pytest.fixture(scope="module")
def make_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeLab]:
    """Yields a factory of labs, which are all gone at the module's end."""
    tree, environment = ensure_tree(), image.ensure_environment()
    labs: list[Lab] = []
    number = itertools.count()

    def make(*, disk_bytes: int = 6 * 2**30, real: bool = False) -> Lab:
        folder = tmp_path_factory.mktemp(f"lab{next(number)}")
        labs.append(Lab(folder, tree, environment, disk_bytes=disk_bytes, real=real))
        return labs[-1]

    yield make
    for lab in labs:
        lab.close()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(cloud, "FOLDER", tmp_path)
    server = ThreadingHTTPServer(("127.0.0.1", 0), cloud.Apis)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(gcs, "API", f"{url}/storage/v1/b")
    monkeypatch.setattr(gcs, "UPLOADS", f"{url}/upload/storage/v1/b")
    monkeypatch.setattr(gcp_api, "PAUSES", (0, 0))
    monkeypatch.setattr(gcp_api, "token", lambda: cloud.TOKEN)
    monkeypatch.setattr(gcp_api, "account", lambda: "vm@p.iam")
    yield Store(tmp_path)
    server.shutdown()
    server.server_close()
