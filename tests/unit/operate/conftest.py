"""Stand-ins of the programs and of Google's APIs that `operate` calls."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from googleapiclient import discovery
from googleapiclient.http import HttpMock

from operate import google_api, outputs

Program = Callable[[str, str], Path]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Puts a shell script of this name on PATH, which has nothing else."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("TPUSERVE_CACHE", str(tmp_path / "cache"))

    def put(name: str, script: str) -> Path:
        file = folder / name
        file.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
        file.chmod(0o755)
        return file

    return put


@pytest.fixture
def stack_outputs(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """Returns the outputs of each stack, which a test fills."""
    known: dict[str, dict[str, Any]] = {}

    def read(stack: str) -> dict[str, Any]:
        if stack not in known:
            raise outputs.not_up(stack)
        return known[stack]

    monkeypatch.setattr(outputs, "read", read)
    return known


class Http(HttpMock):
    """Google's side: answers by the end of the path, and the requests that were sent."""

    def __init__(self, answers: dict[str, Any]) -> None:
        super().__init__()
        self.answers = answers
        self.sent: list[tuple[str, str, str]] = []

    def request(self, uri: str, method: str = "GET", body: Any = None, *_: Any, **__: Any) -> Any:
        path = uri.partition("?")[0].split(".com/")[-1]
        self.sent.append((method, path, body or ""))
        for end, answer in self.answers.items():
            if path.endswith(end):
                if isinstance(answer, Exception):
                    raise answer
                status, content = answer if isinstance(answer, tuple) else (200, answer)
                return self.response(status), json.dumps(content).encode()
        return self.response(404), json.dumps({"error": {"message": f"{path} was not found"}}).encode()

    def response(self, status: int) -> Any:
        """Returns a response of httplib2."""
        import httplib2

        return httplib2.Response({"status": str(status), "content-type": "application/json"})


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], Http]:
    """Has Google's APIs answer; paths are checked by the discovery documents of Google's own library."""

    def answers(by_path: dict[str, Any]) -> Http:
        http = Http(by_path)

        def client(api: str, version: str) -> Any:
            return discovery.build(api, version, http=http, static_discovery=True, cache_discovery=False)

        monkeypatch.setattr(google_api, "client", client)
        return http

    return answers


def error(message: str) -> dict[str, Any]:
    """Returns the body of an error of Google's."""
    return {"error": {"message": message}}


def words(file: Path) -> Sequence[str]:
    """Returns the lines that a stand-in wrote about its calls."""
    return file.read_text("utf-8").splitlines() if file.exists() else ()
