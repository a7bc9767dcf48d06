"""The one command that the built CLI lacks says so."""

import http.server
import json
import threading
from pathlib import Path

from tests import cli
from tests.pulumi.small_project import new_project


class Service(http.server.BaseHTTPRequestHandler):
    """Pulumi's own service, as far as the command asks for it."""

    def do_GET(self) -> None:
        body = json.dumps({"githubLogin": "user", "name": "user", "organizations": []}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_the_command_without_its_library_says_what_to_use(tmp_path: Path) -> None:
    project = new_project(tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service) as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        cloud = {
            "PULUMI_ACCESS_TOKEN": "none",
            "PULUMI_BACKEND_URL": f"http://127.0.0.1:{service.server_port}",
        }
        code, shown = cli.run(("pulumi", "api", "list"), project.folder, {**project.environment, **cloud})
        service.shutdown()
    assert code != 0
    assert "use Pulumi's own release of the CLI for `pulumi api`" in shown, shown
