"""HTTP endpoints of the sidecar: `/metrics`, `/acceptance` and `/ready`."""

import contextlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Answer:
    """Answer to one GET."""

    kind: str
    """Content type."""
    body: bytes
    status: int = 200


Page = Callable[[], Answer]


def start(address: str, port: int, pages: Mapping[str, Page]) -> ThreadingHTTPServer:
    """Answers GET of the given paths, in threads that end with the process. Raises OSError."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 30

        def handle(self) -> None:
            # A collector or a probe that has given up is no fault of the sidecar.
            with contextlib.suppress(ConnectionError):
                super().handle()

        def do_GET(self) -> None:
            page = pages.get(self.path.partition("?")[0])
            answer = page() if page else missing
            self.send_response(answer.status)
            self.send_header("content-type", answer.kind)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:
            """Logs nothing: probes and scrapes come every few seconds."""

    missing = Answer(TEXT, f"The sidecar offers {', '.join(pages)}.\n".encode(), 404)
    server = ThreadingHTTPServer((address, port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    return server
