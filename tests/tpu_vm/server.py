#!/opt/vllm/bin/python3
"""Stand-in for `vllm serve` in tests of the boot around it; takes the same command line.

Answers /health after START_SECONDS, /ready as the guard does, and a chat; streams one token a second. SIGTERM
ends it after its streams. Files in the model's folder make it fail: `crash`, `hang`, and `wrong`, with which
a chat has another answer.
"""

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from agent.server import readiness

BORN = time.monotonic()
COUNT = {"streams": 0}
MODEL = Path(sys.argv[2])
CACHE = Path("/var/cache/tpuserve/xla")
READINESS = readiness.from_environment()


class Handler(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        draining = Path(os.environ["TPUSERVE_DRAIN_FILE"]).exists()
        early = time.monotonic() - BORN < float(os.environ.get("START_SECONDS", "1"))
        unaccepted = self.path == "/ready" and READINESS.objection()
        self.send_response(503 if draining or early or unaccepted or (MODEL / "hang").exists() else 200)
        self.end_headers()

    def do_POST(self) -> None:
        if self.path == "/v1/chat/completions":
            return self.chat()
        COUNT["streams"] += 1
        self.send_response(200)
        self.end_headers()
        for number in range(int(self.headers["X-Tokens"])):
            self.wfile.write(f"data: {number}\n\n".encode())
            time.sleep(1)
        self.wfile.write(b"data: [DONE]\n\n")
        COUNT["streams"] -= 1

    def chat(self) -> None:
        message = {"content": "Lyon" if (MODEL / "wrong").exists() else "Paris"}
        usage = {"prompt_tokens": 5, "completion_tokens": 1}
        answer = {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())


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
    counts = {"requests": 1, "hits": len(found), "misses": int(not found), "compile_seconds": 0.0}
    late = {"compiled_after_warm_up": 0, "slow_programs": 0, "slow_after_warm_up": []}
    events = {**counts, "started": time.time(), "warm_up": counts, **late}
    Path(os.environ["TPUSERVE_CACHE_EVENTS_FILE"]).write_text(json.dumps(events))


def main() -> None:
    words = dict(zip(sys.argv, sys.argv[1:], strict=False))
    if not (MODEL / "model.safetensors").exists():
        sys.exit(f"OSError: no weights in {MODEL}")
    if (MODEL / "crash").exists():
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
