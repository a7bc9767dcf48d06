"""A model server for a single test: the real one, on a loopback port, from the server's Python."""

import contextlib
import functools
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx

from local import image
from local.image.constants import VLLM_CACHE
from local.image.image import ENVIRONMENT
from operate.tunnel import free_port
from tools.support import paths

BOOT_SECONDS = 900
NAME = "tiny"
SOMEBODYS_OWN = ("HF_", "JAX_", "LIBTPU_", "TPU_", "VLLM_", "XLA_")
"""Prefixes of variables that would change the server; an image of the server has none of them."""

FLAGS = (
    # What this tier asks does not depend on how the layers are sharded. Four chips are four threads that wait
    # for each other on two processors, and a step of them takes ten times as long.
    *("--tensor-parallel-size", "1", "--max-model-len", "512", "--max-num-seqs", "8"),
    *("--max-num-batched-tokens", "512", "--disable-chunked-mm-input"),
    *("--limit-mm-per-prompt", json.dumps({"image": 1, "video": 0, "audio": 0})),
    *("--reasoning-parser", "gemma4", "--enable-auto-tool-choice", "--tool-call-parser", "gemma4"),
)
"""Flags of the local stack, with one chip and a shorter context."""


@dataclass
class Server:
    """A running server and its client, which sends `key` as the bearer token."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path
    key: str | None = None

    def post(self, path: str, body: object, key: str | None = None) -> httpx.Response:
        """POST JSON, with another key if one is given."""
        bearer = key or self.key
        headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
        return self.client.post(self.url + path, json=body, headers=headers)

    @functools.cached_property
    def client(self) -> httpx.Client:
        """Client without connections that stay open: a server closes its connection after a 500."""
        return httpx.Client(timeout=600, limits=httpx.Limits(max_keepalive_connections=0))

    def constrained(self, texts: Sequence[str]) -> list[str]:
        """Returns the answers to simultaneous completions, each constrained to one of `texts`."""

        def answer(text: str) -> str:
            limits = {"max_tokens": 40, "temperature": 0, "structured_outputs": {"choice": [text]}}
            answer = self.post("/v1/completions", {"model": NAME, "prompt": "Hello", **limits})
            return answer.json()["choices"][0]["text"] if answer.is_success else str(answer.status_code)

        with ThreadPoolExecutor(len(texts)) as pool:
            return list(pool.map(answer, texts))

    def alive(self) -> bool:
        """Returns whether the server answers /health and its process exists."""
        with contextlib.suppress(httpx.HTTPError):
            return self.process.poll() is None and httpx.get(f"{self.url}/health", timeout=30).is_success
        return False

    def ends_within(self, seconds: float) -> bool:
        """Returns whether the process ends by itself in that time."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
            return True
        return False


def compile_cache() -> Path:
    """Returns the compile cache of all that the tests run in this environment.

    It stays for later runs. A program's key is its content, so a program that changed is compiled.
    """
    return paths.home() / "test-programs" / image.environment().name


def compile_cache_variables(folder_variable: str = "VLLM_XLA_CACHE_PATH") -> dict[str, str]:
    """Returns the variables with which a process uses the compile cache, for its smallest programs too.

    `folder_variable` is vLLM's; a process without vLLM reads JAX's own. vLLM cannot change the folder once
    JAX's own variable has chosen it.
    """
    return {folder_variable: str(compile_cache()), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}


def vllm_cache(folder: Path) -> str:
    """Make a cache folder of vLLM's with the image's answers about the model's class; return its path.

    Without the answers each process imports everything twice, as local/image/environment.py says.
    """
    made = folder / "cache"
    shutil.copytree(image.ensure_environment() / VLLM_CACHE, made, dirs_exist_ok=True)
    return str(made)


@contextlib.contextmanager
def server(
    folder: Path,
    *flags: str,
    environment: Mapping[str, str] | None = None,
    model: Path | None = None,
    key: str | None = None,
) -> Iterator[Server]:
    """Start a server of `model` (the tiny one), wait until it is healthy, and leave no process behind.

    Programs are compiled when a request first needs them (SKIP_JAX_PRECOMPILE), so that a boot is mostly
    imports. `folder` gets the log and vLLM's cache.
    """
    tree, port = image.ensure_environment(), free_port()
    log = folder / f"server-{port}.log"
    served = model or image.ensure_model()
    command = [tree / "bin" / "vllm", "serve", served, *FLAGS, "--served-model-name", NAME]
    process = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port), *flags],
        stdin=subprocess.DEVNULL,
        stdout=log.open("wb"),
        stderr=subprocess.STDOUT,
        cwd=folder,
        start_new_session=True,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith(SOMEBODYS_OWN)},
            **ENVIRONMENT,
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "HF_HUB_OFFLINE": "1",
            "VLLM_NO_USAGE_STATS": "1",
            "PYTHONPATH": str(paths.REPOSITORY),
            "SKIP_JAX_PRECOMPILE": "1",
            "VLLM_CACHE_ROOT": vllm_cache(folder),
            **compile_cache_variables(),
            **(environment or {}),
        },
    )
    running = Server(process, f"http://127.0.0.1:{port}", log, key)
    try:
        deadline = time.monotonic() + BOOT_SECONDS
        while not running.alive():
            tail = log.read_text("utf-8", "replace")[-3000:]
            assert process.poll() is None, f"the server ended while it booted:\n{tail}"
            assert time.monotonic() < deadline, f"no healthy server after {BOOT_SECONDS} s:\n{tail}"
            time.sleep(1)
        yield running
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
