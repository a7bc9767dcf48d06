"""Google's side of a boot, on loopback: metadata server, Secret Manager, Cloud Storage, Artifact Registry.

The machine under test calls the real names over TLS (its /etc/hosts and its certificate store lead here), so
the program under test needs no test switch. Run as `python -m tests.tpu_vm.cloud FOLDER` inside the machine's
network namespace. FOLDER holds what is served, and records the requests:

    metadata.json          instance attributes and identity; read at each request
    objects/<bucket>/...   Cloud Storage
    secrets/<name>         values; the file name is the version's full name with / as +
    image/                 an unpacked OCI archive, served as every repository
    faults.json            HTTP codes by host, and what goes wrong with objects (see `Apis`)
    requests.jsonl         the requests, one line each
    guest-attributes.json  what the machine reported
"""

import base64
import hashlib
import json
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

METADATA_ADDRESS = "169.254.169.254"
API_ADDRESS = "127.0.0.2"
API_NAMES = ("secretmanager.googleapis.com", "storage.googleapis.com", "us-east5-docker.pkg.dev")
TOKEN = "ya29.the-token-of-this-vm"
FOLDER = Path(sys.argv[1]) if __name__ == "__main__" else Path()
HELD = threading.Event()
"""Set at the end of a test in this process, so that no answer waits longer than the test."""


def load(name: str) -> Any:
    """Returns a JSON file of the folder, {} where there is none."""
    path = FOLDER / name
    return json.loads(path.read_text()) if path.exists() else {}


class Handler(BaseHTTPRequestHandler):
    """Base of both servers' request handlers."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        line = {"host": self.headers.get("Host"), "method": self.command, "path": self.path}
        line["range"] = self.headers.get("Range", "")
        with (FOLDER / "requests.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")

    def answer(self, code: int, body: bytes | str = b"", **headers: str) -> None:
        data = body.encode() if isinstance(body, str) else body
        self.send_response(code)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def error(self, code: int, message: str) -> None:
        self.answer(code, json.dumps({"error": {"code": code, "message": message}}))


class Metadata(Handler):
    """http://metadata.google.internal/computeMetadata/v1/instance/…"""

    def do_GET(self) -> None:
        if self.headers.get("Metadata-Flavor") != "Google":
            return self.answer(403, "Missing Metadata-Flavor:Google header.")
        value: Any = load("metadata.json")
        for part in urlsplit(self.path).path.removeprefix("/computeMetadata/v1/instance/").split("/"):
            value = value.get(part) if isinstance(value, dict) else None
        if value is None:
            return self.answer(404, "Not Found")
        self.answer(200, value if isinstance(value, str) else json.dumps(value))

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        (FOLDER / "guest-attributes.json").write_bytes(body)
        self.answer(200)


class Apis(Handler):
    """The three APIs, distinguished by host name. Faults: `composite`, `corrupt` and `cut` name an object,
    `rival` one that another client creates during an upload; `broken_uploads` is how many more uploads break
    off."""

    def do_GET(self) -> None:
        host = (self.headers.get("Host") or "").split(":")[0]
        fault = load("faults.json").get(host.split(".")[0])
        if fault:
            return self.error(fault, f"made to fail with {fault}")
        if host.endswith(".pkg.dev"):
            return self.registry()
        # Without TLS this is an emulator, which knows no identity.
        tls = isinstance(self.connection, ssl.SSLSocket)
        if self.headers.get("Authorization") != (f"Bearer {TOKEN}" if tls else None):
            return self.error(401, "Request had invalid authentication credentials.")
        path = urlsplit(self.path)
        if host.startswith("secretmanager"):
            return self.secret(path.path.removeprefix("/v1/"))
        query = {key: values[0] for key, values in parse_qs(path.query).items()}
        bucket, _, rest = path.path.removeprefix("/storage/v1/b/").partition("/o")
        folder = FOLDER / "objects" / unquote(bucket)
        if not folder.is_dir():
            return self.error(404, "The specified bucket does not exist.")
        if rest:
            return self.object(folder, unquote(rest.removeprefix("/")))
        self.listing(folder, query.get("prefix", ""))

    do_HEAD = do_GET

    def secret(self, version: str) -> None:
        file = FOLDER / "secrets" / version.removesuffix(":access").replace("/", "+")
        if not file.exists():
            return self.error(404, "Secret Version not found.")
        self.answer(200, json.dumps({"payload": {"data": base64.b64encode(file.read_bytes()).decode()}}))

    def listing(self, folder: Path, prefix: str) -> None:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        composite = load("faults.json").get("composite")
        items: list[dict[str, str]] = []
        for path in files:
            name = str(path.relative_to(folder))
            if name.startswith(prefix):
                about = path.stat()
                items.append({"name": name, "size": str(about.st_size), "generation": str(about.st_mtime_ns)})
                if name != composite:
                    digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).digest()
                    items[-1]["md5Hash"] = base64.b64encode(digest).decode()
        self.answer(200, json.dumps({"items": items} if items else {}))

    def object(self, folder: Path, name: str) -> None:
        faults = load("faults.json")
        if not (folder / name).is_file():
            return self.error(404, f"No such object: {folder.name}/{name}")
        data = (folder / name).read_bytes()
        if faults.get("corrupt") == name:
            data = bytes(byte ^ 1 for byte in data[:1]) + data[1:]
        first, _, last = (self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").partition("-")
        part = data[int(first) : int(last) + 1 if last else None]
        # Parts from this byte on take longer than any client waits.
        if int(first) >= faults.get("hold_from", len(data)):
            HELD.wait(60)
        if faults.get("cut") == name:
            self.send_response(206)
            self.send_header("Content-Length", str(len(part)))
            self.end_headers()
            self.wfile.write(part[: len(part) // 2])
            self.close_connection = True
            return
        self.answer(206 if self.headers.get("Range") else 200, part)

    def do_POST(self) -> None:
        """Begin an upload: its address is the session, which contains the object and its MD5."""
        about = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        query = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
        bucket = urlsplit(self.path).path.removeprefix("/upload/storage/v1/b/").removesuffix("/o")
        if fault := load("faults.json").get("upload"):
            return self.error(fault, f"made to fail with {fault}")
        if query["ifGenerationMatch"] == "0" and self.target(bucket, query["name"]).exists():
            return self.error(412, "At least one of the pre-conditions you specified did not hold.")
        scheme = "https" if isinstance(self.connection, ssl.SSLSocket) else "http"
        session = urlencode({"bucket": bucket, "name": query["name"], "md5": about["md5Hash"]})
        self.answer(200, Location=f"{scheme}://{self.headers['Host']}/session?{session}")

    def do_PUT(self) -> None:
        """Receive a whole upload; the object appears at once or not at all."""
        query = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
        target, faults = self.target(query["bucket"], query["name"]), load("faults.json")
        if left := faults.get("broken_uploads"):
            (FOLDER / "faults.json").write_text(json.dumps({**faults, "broken_uploads": left - 1}))
            self.close_connection = True
            return
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if faults.get("corrupt") == query["name"]:
            data = data[1:]
        if faults.get("rival") == query["name"]:
            target.write_text("a rival's")
        if target.exists():
            return self.error(412, "At least one of the pre-conditions you specified did not hold.")
        if base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode() != query["md5"]:
            return self.error(400, "Provided MD5 hash does not match calculated MD5 hash.")
        target.write_bytes(data)
        if faults.get("lost_answer") == query["name"]:
            self.close_connection = True
            return
        self.answer(200, "{}")

    def target(self, bucket: str, name: str) -> Path:
        path = FOLDER / "objects" / unquote(bucket) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def registry(self) -> None:
        expected = base64.b64encode(f"oauth2accesstoken:{TOKEN}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {expected}":
            return self.answer(401, "{}", WWW_Authenticate='Basic realm="registry"')
        kind, _, reference = self.path.rpartition("/")
        if kind.endswith("/manifests"):
            digest = json.loads((FOLDER / "image/index.json").read_text())["manifests"][0]["digest"]
            return self.blob(digest, "application/vnd.oci.image.manifest.v1+json")
        if kind.endswith("/blobs"):
            return self.blob(reference, "application/octet-stream")
        self.answer(200, "{}")

    def blob(self, digest: str, media_type: str) -> None:
        data = (FOLDER / "image/blobs/sha256" / digest.removeprefix("sha256:")).read_bytes()
        self.answer(200, data, Content_Type=media_type, Docker_Content_Digest=digest)


def main() -> None:
    """Serve until killed; the file `serving` in the folder says that both servers listen."""
    metadata = ThreadingHTTPServer((METADATA_ADDRESS, 80), Metadata)
    apis = ThreadingHTTPServer((API_ADDRESS, 443), Apis)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(FOLDER / "tls/server.pem")
    apis.socket = context.wrap_socket(apis.socket, server_side=True)
    threading.Thread(target=metadata.serve_forever, daemon=True).start()
    (FOLDER / "serving").touch()
    apis.serve_forever()


if __name__ == "__main__":
    main()
