"""Hugging Face and Cloud Storage on one port: the files of one repository, the objects of one bucket."""

import base64
import contextlib
import functools
import hashlib
import json
import re
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

REVISION = "4d7ae4984b7db7de8f8457170b3f1a419ee76d52"


@dataclass
class World:
    """Files of the repository, objects of the bucket, and the recorded callers."""

    files: dict[str, bytes]
    objects: dict[str, tuple[bytes, dict[str, str]]] = field(default_factory=dict)
    uploads: dict[str, tuple[str, dict[str, str], bytearray]] = field(default_factory=dict)
    downloads: list[str] = field(default_factory=list)
    asked: int = 0
    """Requests that Hugging Face got."""
    tokens: set[str] = field(default_factory=set)
    damage: str = ""
    refuse: dict[str, int] = field(default_factory=dict)
    """Beginning of a path -> the code that it is refused with."""
    address: str = ""

    def tree(self) -> list[dict[str, Any]]:
        """Returns the repository's files as Hugging Face lists them; large ones with their digest."""
        return [
            {
                "type": "file",
                "path": path,
                "size": len(data),
                "oid": hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest(),
                **(
                    {
                        "lfs": {
                            "oid": hashlib.sha256(data).hexdigest(),
                            "size": len(data),
                            "pointerSize": 135,
                        }
                    }
                    if path.endswith(".safetensors")
                    else {}
                ),
            }
            for path, data in self.files.items()
        ]


@functools.cache
def crc32c(data: bytes) -> int:
    """Returns the checksum that Cloud Storage reports for every object (RFC 3720, appendix B.4).

    The weights take a second, and every test has the same.
    """
    table = [0] * 256
    for index in range(256):
        value = index
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table[index] = value
    crc = 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def handler(world: World) -> type[BaseHTTPRequestHandler]:
    """Returns a handler for both services on one port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing."""

        def answer(self, code: int, body: bytes, **headers: str) -> None:
            self.send_response(code)
            for name, value in {"content-length": str(len(body)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        def document(self, code: int, value: Any, **headers: str) -> None:
            self.answer(code, json.dumps(value).encode(), content_type="application/json", **headers)

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            path = urllib.parse.unquote(path)
            world.asked += path.startswith(("/api/", "/google/"))
            if self.refused(path):
                return
            if path.startswith("/api/models/"):
                world.tokens.add(self.headers.get("authorization", ""))
                self.document(200, world.tree())
            elif found := re.fullmatch(rf"/google/tiny/resolve/{REVISION}/(.+)", path):
                world.tokens.add(self.headers.get("authorization", ""))
                world.downloads.append(found[1])
                data = world.files[found[1]]
                self.answer(200, data[:-1] + b"!" if found[1] == world.damage else data)
            elif path == "/storage/v1/b/bucket/o":
                [prefix] = urllib.parse.parse_qs(query)["prefix"]
                found_here = [self.resource(name) for name in world.objects if name.startswith(prefix)]
                self.document(200, {"items": found_here})
            elif found := re.fullmatch(r"/download/storage/v1/b/bucket/o/(.+)", path):
                self.answer(200, world.objects[found[1]][0])
            elif found := re.fullmatch(r"/storage/v1/b/bucket/o/(.+)", path):
                if found[1] not in world.objects:
                    self.document(404, {"error": {"code": 404, "message": "none"}})
                else:
                    self.document(200, self.resource(found[1]))
            else:
                self.document(404, {"error": {"code": 404, "message": path}})

        def refused(self, path: str) -> bool:
            for beginning, code in world.refuse.items():
                if path.startswith(beginning):
                    self.document(code, {"error": {"code": code, "message": "made to fail"}})
                    return True
            return False

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.refused(self.path):
                return
            query = urllib.parse.parse_qs(self.path.partition("?")[2])
            if query["uploadType"] == ["resumable"]:
                given = json.loads(body)
                key = str(len(world.uploads))
                world.uploads[key] = (given["name"], given.get("metadata", {}), bytearray())
                self.answer(200, b"", location=f"{world.address}/upload/session/{key}")
                return
            boundary = self.headers["content-type"].partition("boundary=")[2].strip('"').encode()
            _, meta, data, _ = body.split(b"--" + boundary)
            given = json.loads(meta.partition(b"\r\n\r\n")[2])
            content = data.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")
            condition = query.get("ifGenerationMatch")
            if condition and condition != [self.generation(given["name"])]:
                self.document(412, {"error": {"code": 412, "message": "another generation"}})
                return
            world.objects[given["name"]] = (content, given.get("metadata", {}))
            self.document(200, self.resource(given["name"]))

        def do_PUT(self) -> None:
            name, metadata, data = world.uploads[self.path.rsplit("/", 1)[1]]
            data += self.rfile.read(int(self.headers["content-length"]))
            total = int(self.headers["content-range"].rpartition("/")[2])
            if len(data) < total:
                self.answer(308, b"", range=f"bytes=0-{len(data) - 1}")
                return
            world.objects[name] = (bytes(data), metadata)
            self.document(200, self.resource(name))

        def generation(self, name: str) -> str:
            """Returns a number that changes with the content; 0 for an object that does not exist."""
            return str(crc32c(world.objects[name][0])) if name in world.objects else "0"

        def resource(self, name: str) -> dict[str, Any]:
            data, metadata = world.objects[name]
            return {
                "name": name,
                "bucket": "bucket",
                "generation": self.generation(name),
                "size": str(len(data)),
                "metadata": metadata,
                "crc32c": base64.b64encode(crc32c(data).to_bytes(4, "big")).decode(),
            }

    return Handler


@contextlib.contextmanager
def serving(world: World) -> Iterator[World]:
    """Yields the two services while they answer at `world.address`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(world))
    world.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield world
    server.shutdown()
    server.server_close()
