#!/opt/vllm/bin/python3
"""Stand-in for `vllm serve` in tests of the boot around it; takes the same command line.

Answers /health after START_SECONDS, and streams one token a second. SIGTERM ends it after its streams.
"""

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BORN = time.monotonic()
COUNT = {"streams": 0}
HANG = Path(sys.argv[2]) / "hang"
CACHE = Path("/var/cache/tpuserve/xla")


class Handler(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        draining = Path(os.environ["TPUSERVE_DRAIN_FILE"]).exists()
        early = time.monotonic() - BORN < float(os.environ.get("START_SECONDS", "1"))
        self.send_response(503 if draining or early or HANG.exists() else 200)
        self.end_headers()

    def do_POST(self) -> None:
        COUNT["streams"] += 1
        self.send_response(200)
        self.end_headers()
        for number in range(int(self.headers["X-Tokens"])):
            self.wfile.write(f"data: {number}\n\n".encode())
            time.sleep(1)
        self.wfile.write(b"data: [DONE]\n\n")
        COUNT["streams"] -= 1


def load_programs() -> None:
    """Compile what the cache lacks, as JAX does. A program of the wrong kind ends the whole process."""
    found = [file for file in CACHE.iterdir() if file.name.endswith("-cache")]
    if any("for another chip" in file.read_text() for file in found):
        print("jaxlib._jax.XlaRuntimeError: INTERNAL: made to fail by a program", flush=True)
        os._exit(134)
    while any("that hangs" in file.read_text() for file in found):
        time.sleep(1)
    if not found:
        (CACHE / "program-cache").write_text("compiled")
    # As agent/cache_report.py writes it.
    print("INFO compile cache: " + json.dumps({"hits": len(found), "misses": int(not found)}))
    sys.stdout.flush()


def main() -> None:
    words = dict(zip(sys.argv, sys.argv[1:], strict=False))
    model = Path(sys.argv[2])
    if not (model / "model.safetensors").exists():
        sys.exit(f"OSError: no weights in {model}")
    if (model / "crash").exists():
        print("ValueError: made to fail by a file named crash", flush=True)
        sys.exit(1)
    load_programs()
    server = ThreadingHTTPServer((words["--host"], int(words["--port"])), Handler)

    def stop(*_: object) -> None:
        def later() -> None:
            end = time.monotonic() + int(words["--shutdown-timeout"])
            while COUNT["streams"] and time.monotonic() < end:
                time.sleep(0.1)
            os._exit(0)

        threading.Thread(target=later).start()

    signal.signal(signal.SIGTERM, stop)
    server.serve_forever()


main()
