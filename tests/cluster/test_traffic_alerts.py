"""The alerts of `make monitoring` on a real Prometheus that reads the real server: a quiet hour, and provoked
faults."""

import contextlib
import json
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest
import yaml

from explain import monitoring_files
from local.commands.kubectl import kubectl
from serving.deploy import container_layout
from serving.monitoring import panels
from serving.monitoring.scope import Scope
from tests.cluster.commands import Server
from tests.cluster.conftest import PICTURES
from tests.cluster.dashboard_picture import picture
from tests.cluster.prometheus import Prometheus, watching
from tests.cluster.rollouts import NAMESPACE, Checkout, pods
from tools.support.progress import Refusal

ENGINE = {
    # Many requests on few pages: when one ends or is preempted, the KV cache stays nearly full.
    "max_num_seqs": 32,
    "num_gpu_blocks_override": 80,
    # What exceeds these, running ones included, gets a 503.
    "max_num_queued_reqs": 80,
}
ACCEPTANCE = {
    "limits": {"time_to_first_token_ms": 1000},
    "ladder": {"concurrency": [1], "prompt_tokens": 64, "output_tokens": 8},
}
HOUR_SECONDS = 60
"""An hour of the shortened rules."""
CLIENTS = 90
OVERLOAD_SECONDS = 180
BOOT_SECONDS = 120
NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?=\{)")

OF_A_CHIP = {"tpuserve_hbm_free_bytes", "tpuserve_hbm_used_bytes", "tpuserve_tensorcore_duty_cycle_ratio"}
"""Series that libtpu reports, which needs a TPU."""


@pytest.fixture(scope="module")
def fragile(checkout: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Returns a checkout whose stack is up, with one server that is easily overloaded.

    The tests of releases have edited the files of `checkout`.
    """
    made = Checkout(tmp_path_factory.mktemp("fragile"))
    made.change(replicas=1, engine=ENGINE, acceptance=ACCEPTANCE)
    made.up()
    return made


@pytest.fixture(scope="module")
def rules(fragile: Checkout) -> str:
    """Returns the rule file that `make monitoring` writes for the stack."""
    return monitoring_files.files(Checkout.STACK, fragile.folder)[monitoring_files.RULES]


@pytest.fixture
def prometheus(rules: str, tmp_path: Path) -> Iterator[Prometheus]:
    """Yields a Prometheus without a past."""
    with watching(tmp_path / "prometheus", rules) as found:
        yield found


def ask(client: httpx.Client, tokens: int) -> int:
    """Send one request and return the status of its answer."""
    body = {"model": "tiny-gemma4-moe", "prompt": "Tell me all.", "max_tokens": tokens, "ignore_eos": True}
    return client.post("/v1/completions", json=body).status_code


def test_a_quiet_hour_fires_no_alert(server: Server, fragile: Checkout, prometheus: Prometheus) -> None:
    """Every series that alerts and panels read exists: a misspelled one would always be quiet."""
    end = time.monotonic() + HOUR_SECONDS
    with server.client() as client:
        while time.monotonic() < end:
            assert ask(client, 8) == 200
            time.sleep(1)
    assert prometheus.fired() == set()
    names = series(monitoring_files.files(Checkout.STACK, fragile.folder))
    assert {name for name in names if not prometheus.query(name)} == OF_A_CHIP


def series(files: Mapping[str, str]) -> set[str]:
    """Returns the names of the series that a rule file and a dashboard read."""
    rules = yaml.safe_load(files[monitoring_files.RULES])
    queries = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    shown = json.loads(files[monitoring_files.DASHBOARD])["panels"]
    queries += [target["expr"] for panel in shown for target in panel["targets"]]
    return {name for query in queries for name in NAME.findall(query)}


def test_an_overload_fires_the_alerts_of_its_load(
    server: Server, prometheus: Prometheus, request: pytest.FixtureRequest
) -> None:
    expected = {
        *("QueueTooLong", "KvCacheNearlyFull", "RequestsPreempted", "FirstTokenSlow", "AnswersFail"),
        *("AvailabilityBudgetBurns", "LatencyBudgetBurns"),
    }
    began, stop, statuses = time.monotonic(), threading.Event(), Counter[int]()
    client = server.client(limits=httpx.Limits(max_connections=CLIENTS))

    def send() -> None:
        while not stop.is_set():
            # Of different lengths, so that they do not end together.
            statuses[ask(client, random.randint(100, 300))] += 1
            stop.wait(1)

    threads = [threading.Thread(target=send) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        prometheus.await_fired(expected, OVERLOAD_SECONDS)
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=600)
        client.close()
    assert set(statuses) == {200, 503}
    folder = request.config.getoption(PICTURES)
    if folder is not None:
        scope = Scope({"namespace": container_layout.NAMESPACE}, "pod")
        text = picture(prometheus, panels.panels(scope), int(time.monotonic() - began))
        (folder / "dashboard.svg").write_text(text, "utf-8")


def test_a_server_that_was_killed_fires_the_alerts_of_readiness(
    server: Server, prometheus: Prometheus
) -> None:
    [pod] = pods()
    words = ("exec", pod["metadata"]["name"], "-n", NAMESPACE, "-c", container_layout.SERVER)
    with contextlib.suppress(Refusal):  # It ends with its container.
        kubectl(*words, "--", "python3", "-c", KILL)
    prometheus.await_fired({"NoReadyServer", "ServerNotReadyInTime"}, BOOT_SECONDS)
    kubectl("wait", "pod", pod["metadata"]["name"], "-n", NAMESPACE, "--for=condition=Ready",
            "--timeout", "600s")  # fmt: skip


KILL = """
import os, pathlib, signal
for folder in pathlib.Path("/proc").glob("[0-9]*"):
    if b"EngineCore" in (folder / "cmdline").read_bytes():
        os.kill(int(folder.name), signal.SIGKILL)
"""
"""Kills vLLM's engine, without which its server ends."""
