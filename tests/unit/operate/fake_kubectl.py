"""Stand-in of kubectl: answers `get` from a file of objects, `logs` with its words, and forwards ports.

`python fake_kubectl.py FOLDER WORD …`: FOLDER has `objects.json`, `nodes.json`, and the pages by port.
"""

import json
import sys
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def main(folder: Path, words: list[str]) -> None:
    """Answers one command; ends with an error for another one."""
    with (folder / "calls").open("a", encoding="utf-8") as calls:
        calls.write(" ".join(words) + "\n")
    words = [
        word for number, word in enumerate(words) if word not in SKIPPED and words[number - 1] not in SKIPPED
    ]
    match words:
        case ["get", "nodes", *_]:
            print((folder / "nodes.json").read_text("utf-8"))
        case ["get", "pods", *rest] if "k8s-app=kube-dns" in rest:
            sys.exit(
                'Error from server (Forbidden): pods is forbidden: User "me" cannot list resource "pods"'
            )
        case ["get", *_]:
            print((folder / "objects.json").read_text("utf-8"))
        case ["logs", *rest]:
            print("log of", *rest)
        case ["port-forward", "--address", _, _, *ports]:
            for port in ports:
                here, _, there = port.partition(":")
                serve(folder / there, int(here))
            time.sleep(600)
        case _:
            sys.exit(f"error: unknown command {words}")


SKIPPED = ("--namespace", "-n", "--kubeconfig")


def serve(pages: Path, port: int) -> None:
    """Serves the files of a folder as pages."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            file = pages / self.path.strip("/").replace("/", "-")
            self.send_response(200 if file.exists() else 404)
            self.end_headers()
            if file.exists():
                self.wfile.write(file.read_bytes())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def write(folder: Path, objects: Sequence[object], nodes: Sequence[object]) -> None:
    """Writes the objects that `get` shows."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "objects.json").write_text(json.dumps({"items": list(objects)}), "utf-8")
    (folder / "nodes.json").write_text(json.dumps({"items": list(nodes)}), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
