"""Stand-in for Google's REST APIs: canned answers over HTTP, checked against Google's API descriptions.

A request that no documented method takes, and an answer with a field that its message does not have, fails
the test that made it.
"""

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from doctor.google import ENDPOINTS, Api, Google
from tools.fake_gcp.schema import discovery

PROJECT = "a-project"

_TEXT = {"type": "string"}
QUOTAS: Mapping[str, Any] = {
    "rootUrl": "https://cloudquotas.googleapis.com/",
    "servicePath": "",
    "parameters": {},
    "resources": {
        "quotaInfos": {
            "methods": {
                "get": {
                    "httpMethod": "GET",
                    "flatPath": "v1/projects/{p}/locations/{l}/services/{s}/quotaInfos/{q}",
                    "parameters": {},
                    "response": {"$ref": "QuotaInfo"},
                }
            }
        }
    },
    "schemas": {
        "QuotaInfo": {
            "properties": {
                "quotaId": _TEXT,
                "dimensions": {"type": "array", "items": _TEXT},
                "dimensionsInfos": {"type": "array", "items": {"$ref": "DimensionsInfo"}},
            }
        },
        "DimensionsInfo": {
            "properties": {
                "dimensions": {"type": "object", "additionalProperties": _TEXT},
                "details": {"$ref": "QuotaDetails"},
                "applicableLocations": {"type": "array", "items": _TEXT},
            }
        },
        "QuotaDetails": {"properties": {"value": {"type": "string", "format": "int64"}}},
    },
}
"""Parts of the Cloud Quotas API that are read, because google-api-python-client has no document of it:
https://docs.cloud.google.com/docs/quotas/reference/rest/v1/projects.locations.services.quotaInfos."""


@dataclass(frozen=True)
class Fails:
    """An answer that is an error of Google's (https://cloud.google.com/apis/design/errors)."""

    status: int
    message: str = ""
    reason: str = ""
    body: bytes | None = None

    @property
    def content(self) -> bytes:
        """Body of the answer."""
        if self.body is not None:
            return self.body
        details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": self.reason}]
        error = {"code": self.status, "message": self.message, "details": details if self.reason else []}
        return json.dumps({"error": error}).encode()


Answers = dict[str, Any]
"""Answers by API and path, such as `compute projects/a-project/regions/us-east5`. One that is missing or None
is a 404. A list has the pages of an answer."""


@dataclass
class StandIn:
    """Google with these answers. `mistakes` are differences from Google's API descriptions."""

    answers: Answers
    mistakes: list[str] = field(default_factory=list)

    def answer(self, verb: str, url: str) -> tuple[int, bytes]:
        """Returns status and body for a request."""
        split = urlsplit(url)
        _, name, rest = split.path.split("/", 2)
        document = described(name)
        method = _method(document, verb, rest)
        if method is None:
            self.mistakes.append(f"{name} has no method {verb} {rest}")
            return 500, b"{}"
        known = {*document["parameters"], *method.get("parameters", {})}
        self.mistakes += [f"{rest}: no parameter {key}" for key in parse_qs(split.query) if key not in known]
        version = urlsplit(ENDPOINTS[_api(name)]).path.lstrip("/")
        found = self.answers.get(f"{name} {rest.removeprefix(version + '/')}")
        if found is None:
            return 404, Fails(404, "Not found").content
        if isinstance(found, Fails):
            return found.status, found.content
        if isinstance(found, list):
            found = _page(found, parse_qs(split.query).get("pageToken", ["0"])[0])
        self.mistakes += _unknown(document, method["response"], found, rest)
        return 200, json.dumps(found).encode()


@contextmanager
def stand_in(answers: Answers) -> Iterator[Google]:
    """Yields Google with these answers. Fails the test for every difference from Google's descriptions."""
    google = StandIn(answers)

    class Handler(BaseHTTPRequestHandler):
        """Answers of Google."""

        def do_GET(self) -> None:
            """Answers a read."""
            self._send(*google.answer("GET", self.path))

        def do_POST(self) -> None:
            """Answers a method that has a body."""
            self.rfile.read(int(self.headers["Content-Length"]))
            self._send(*google.answer("POST", self.path))

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Writes nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    endpoints: dict[Api, str] = {api: f"{base}/{api}{urlsplit(url).path}" for api, url in ENDPOINTS.items()}
    try:
        yield Google(PROJECT, requests.Session(), endpoints)
    finally:
        server.shutdown()
        server.server_close()
    assert not google.mistakes, google.mistakes


def _page(pages: list[dict[str, Any]], token: str) -> dict[str, Any]:
    """Returns one page of a list, with the token of the next."""
    following = int(token) + 1
    return {**pages[int(token)], **({"nextPageToken": str(following)} if following < len(pages) else {})}


def described(api: str) -> Mapping[str, Any]:
    """Returns Google's description of an API."""
    return QUOTAS if api == "cloudquotas" else discovery.document(api)


def _api(name: str) -> Api:
    return next(api for api in ENDPOINTS if api == name)


def _method(document: Mapping[str, Any], verb: str, path: str) -> Mapping[str, Any] | None:
    for method in _methods(document):
        template = document["servicePath"] + (method.get("flatPath") or method["path"])
        pattern = re.sub(r"\\\{\+?\w+\\\}", "[^/]+", re.escape(template))
        if method["httpMethod"] == verb and re.fullmatch(pattern, path):
            return method
    return None


def _methods(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from node.get("methods", {}).values()
    for child in node.get("resources", {}).values():
        yield from _methods(child)


def _unknown(document: Mapping[str, Any], schema: Mapping[str, Any], value: Any, where: str) -> list[str]:
    """Returns the fields and the enum values of an answer that its message does not have."""
    if "$ref" in schema:
        schema = document["schemas"][schema["$ref"]]
    if isinstance(value, list):
        return [each for item in value for each in _unknown(document, schema["items"], item, where)]
    if isinstance(value, dict):
        others = schema.get("additionalProperties")
        found: list[str] = []
        for key, item in value.items():
            inner = schema.get("properties", {}).get(key, others)
            found += [f"{where}: no field {key}"] if inner is None else _unknown(document, inner, item, key)
        return found
    if "enum" in schema and value not in schema["enum"]:
        return [f"{where}: no value {value}"]
    return [] if isinstance(value, bool) == (schema.get("type") == "boolean") else [f"{where}: {value!r}"]
