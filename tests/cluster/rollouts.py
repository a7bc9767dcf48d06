"""Load on the local server and a look at its endpoints, while a rollout replaces its pods."""

import contextlib
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import yaml

from local.cluster.api import Api
from local.commands.kubectl import kubectl
from tests.cluster.commands import Run, Server, run
from tools import toolchain
from tools.support import paths

NAMESPACE = "tpuserve"
SLICES = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices"
LOOK_SECONDS = 0.2
CLIENTS = 20
THINK_SECONDS = 10
"""Pause of a client between two answers: the servers and the clients share two processors, and a server that
boots takes one of them."""


class Checkout:
    """A copy of this checkout, whose files may change. Its stack is the running cluster's, with its state."""

    STACK = "local"
    ENGINE: Mapping[str, Any] = {
        # A boot is mostly imports with these, and a step takes a tenth: no four threads wait for each other
        # on two processors.
        **{"tensor_parallel_size": 1, "max_model_len": 512, "max_num_seqs": 4},
        "max_num_batched_tokens": 64,
        **{"limit_mm_per_prompt": {"image": 0, "video": 0, "audio": 0}, "vision_programs": None},
    }

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        left_out = shutil.ignore_patterns(".*", "__pycache__", "tests", "load-tests")
        shutil.copytree(paths.REPOSITORY, folder, ignore=left_out, dirs_exist_ok=True)
        (folder / ".venv").symlink_to(paths.REPOSITORY / ".venv")
        self._git("init", "--quiet")
        self.commit()

    @property
    def file(self) -> Path:
        """Returns the stack file."""
        return self.folder / "Pulumi.local.yaml"

    def change(self, **changes: Any) -> None:
        """Write the delivered stack file with this engine and other keys; a mapping is merged into the
        file's own."""
        document = yaml.safe_load((paths.REPOSITORY / self.file.name).read_text("utf-8"))
        engine = {**self.ENGINE, **changes.pop("engine", {})}
        for name, value in {**changes, "engine": engine}.items():
            key = f"tpuserve:{name}"
            before = document["config"].get(key)
            document["config"][key] = {**before, **value} if isinstance(before, dict) else value
        self.file.write_text(yaml.safe_dump(document), "utf-8")

    def wait_for_rollouts(self, seconds: int | None) -> None:
        """Have `up` wait this long for a rollout that fails; None is the usual time."""
        name = "serving/startup/timeouts.py"
        text = (paths.REPOSITORY / name).read_text("utf-8")
        computed = "servers * (self.progress_deadline_seconds + self.termination_grace_seconds)"
        assert computed in text
        (self.folder / name).write_text(text.replace(computed, str(seconds)) if seconds else text, "utf-8")

    def commit(self) -> None:
        """Commit the stack file, as a promotion's pull request does."""
        self._git("add", self.file.name)
        self._git(
            "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "--quiet", "--message", "x"
        )

    def _git(self, *words: str) -> None:
        done = run("git", "-C", str(self.folder), *words)
        assert done.code == 0, done.text

    def pulumi(self, *words: str) -> Run:
        """Run the real CLI on the stack."""
        named = ("pulumi", *words, "--cwd", str(self.folder), "--stack", self.STACK, "--non-interactive")
        return run(*named, env=toolchain.pulumi_environment())

    def up(self) -> None:
        """Run `pulumi up`, which must succeed."""
        done = self.pulumi("up", "--yes", "--skip-preview")
        assert done.code == 0, done.text


def pods() -> list[dict[str, Any]]:
    """Returns the server's pods that are not being deleted."""
    items = json.loads(kubectl("get", "pods", "-n", NAMESPACE, "-o", "json"))["items"]
    return [item for item in items if "deletionTimestamp" not in item["metadata"]]


class Load:
    """Clients that stream one answer after another, each over a new connection, as behind a load balancer."""

    def __init__(self, server: Server, clients: int) -> None:
        self._server = server
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._client, args=(number,)) for number in range(clients)]
        self.complete = 0
        self.failures: list[str] = []
        self._lock = threading.Lock()

    def __enter__(self) -> "Load":
        self._url, self._key = self._server.url, self._server.key
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=300)

    def _client(self, number: int) -> None:
        asked = 0
        while not self._stop.is_set():
            asked += 1
            try:
                problem = self._stream(f"Client {number} asks for the {asked}. time: tell me a story.")
            except httpx.HTTPError as error:
                problem = f"{type(error).__name__}: {error}"
            with self._lock:
                if problem is None:
                    self.complete += 1
                else:
                    self.failures.append(f"{time.strftime('%T')} {problem}")
            self._stop.wait(THINK_SECONDS)

    def _stream(self, text: str) -> str | None:
        """Returns why an answer is not complete, or None."""
        body = {
            "model": "tiny-gemma4-moe",
            "messages": [{"role": "user", "content": text}],
            "max_tokens": 8,
            "ignore_eos": True,
            "stream": True,
        }
        with (
            httpx.Client(
                base_url=self._url,
                headers={"Authorization": f"Bearer {self._key}"},
                timeout=httpx.Timeout(600, connect=30),
                trust_env=False,
            ) as client,
            client.stream("POST", "/v1/chat/completions", json=body) as answer,
        ):
            if answer.status_code != 200:
                return f"HTTP {answer.status_code}: {answer.read().decode()[:200]}"
            last = ""
            for line in answer.iter_lines():
                if line.startswith("data: ") and '"error"' in line:
                    return line
                last = line or last
        return None if last == "data: [DONE]" else f"ended after {last!r}"


class Endpoints:
    """Smallest number of ready endpoints of the Service while the block runs."""

    def __init__(self) -> None:
        self.least: int | None = None
        self.looks = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Endpoints":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=60)

    def _watch(self) -> None:
        with Api() as api:
            while not self._stop.wait(LOOK_SECONDS):
                ready = ready_endpoints(api)
                self.looks += 1
                self.least = ready if self.least is None else min(self.least, ready)


def ready_endpoints(api: Api) -> int:
    """Returns how many endpoints of the server's Service are ready."""
    slices = api.get(f"{SLICES}?labelSelector=kubernetes.io/service-name%3Dvllm")["items"]
    endpoints = [endpoint for each in slices for endpoint in each.get("endpoints") or ()]
    return sum(bool(endpoint["conditions"].get("ready")) for endpoint in endpoints)


@contextlib.contextmanager
def watched(server: Server, clients: int = CLIENTS) -> Iterator[tuple[Load, Endpoints]]:
    """Yields load on the server and its endpoints, both running."""
    with Endpoints() as endpoints, Load(server, clients) as load:
        wait_for(lambda: load.complete >= clients, "the clients' first answers")
        yield load, endpoints


def wait_for(true: Callable[[], bool], what: str, seconds: float = 600) -> None:
    """Wait until `true` is. Fails the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.5)
