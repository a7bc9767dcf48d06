"""An object store with the parts of Cloud Storage's JSON API that a reader and a prune of a bucket call."""

import json
import threading
import zlib
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

CREATED = "2020-01-01T00:00:00.000Z"
"""Time of every object's creation."""


def generation(content: bytes) -> int:
    """Returns the generation of an object, which changes with its content."""
    return 1 + zlib.crc32(content)


@contextmanager
def object_store(
    bucket: str,
    objects: MutableMapping[str, bytes],
    status: int | None = None,
    delete_status: int | None = None,
) -> Iterator[str]:
    """Yields the URL of a store with one bucket. Deleted objects leave `objects`.

    With `status` it answers every request with that; with `delete_status` every request to delete.
    """

    class Handler(BaseHTTPRequestHandler):
        """Answers of the store."""

        def do_GET(self) -> None:
            """Answers a list, a download, or the look-up of a bucket."""
            split = urlsplit(self.path)
            names = [unquote(part) for part in split.path.split("/")]
            if status is not None:
                self._answer(status, {"error": {"code": status, "message": "You may not."}})
            elif names[names.index("b") + 1] != bucket:
                self._answer(404, {"error": {"code": 404, "message": "The specified bucket does not exist."}})
            elif "download" in names:
                self._download(names[-1])
            elif names[-1] == "o":
                (prefix,) = parse_qs(split.query).get("prefix", [""])
                found = [self._described(name) for name in objects if name.startswith(prefix)]
                self._answer(200, {"items": found})
            else:
                # A viewer of the objects may not look up the bucket.
                self._answer(403, {"error": {"code": 403, "message": "You may not."}})

        def do_DELETE(self) -> None:
            """Deletes an object if it has the generation that the request names."""
            split = urlsplit(self.path)
            name = unquote(split.path.split("/")[-1])
            query = parse_qs(split.query)
            if delete_status is not None:
                self._answer(delete_status, {"error": {"code": delete_status, "message": "You may not."}})
            elif name not in objects:
                self._answer(404, {"error": {"code": 404, "message": "No such object"}})
            elif query != {"ifGenerationMatch": [str(generation(objects[name]))], "prettyPrint": ["false"]}:
                self._answer(412, {"error": {"code": 412, "message": "At least one condition failed."}})
            else:
                del objects[name]
                self._send(204, b"")

        def _described(self, name: str) -> dict[str, str]:
            content = objects[name]
            return {
                "name": name,
                "bucket": bucket,
                "size": str(len(content)),
                "generation": str(generation(content)),
                "timeCreated": CREATED,
            }

        def _download(self, name: str) -> None:
            if name not in objects:
                self._answer(404, {"error": {"code": 404, "message": "No such object"}})
                return
            self._send(200, objects[name])

        def _answer(self, code: int, content: Any) -> None:
            self._send(code, json.dumps(content).encode())

        def _send(self, code: int, body: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Writes nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
