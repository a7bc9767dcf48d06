"""Runs in the model server's own Python: what vLLM's client for media fetches from loopback, as JSON."""

import asyncio
import http.server
import json
import os
import threading

from vllm.connections import global_http_connection

from agent.server import media_connection

os.environ["VLLM_MEDIA_FETCH_MAX_RETRIES"] = "1"
requests = []


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        requests.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"a file")

    def log_message(self, format, *args):
        pass


async def fetch(path):
    url = f"http://localhost:{server.server_port}{path}"
    try:
        return (await global_http_connection.async_get_bytes(url, timeout=5, allow_redirects=False)).decode()
    except OSError as problem:
        return str(problem)


async def both():
    before = await fetch("/before")
    media_connection.connect_to_public_addresses_only()
    return {"before": before, "after": await fetch("/after"), "requests": requests}


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(json.dumps(asyncio.run(both())))
