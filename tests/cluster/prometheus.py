"""A real Prometheus that watches the local servers and evaluates a rule file, in which a minute is a second.

It reads both ports of each pod every two seconds. Every duration of the rules is divided by 60, so an hour
without an alert takes a minute.
"""

import contextlib
import json
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import yaml

from operate import tunnel
from serving.deploy import container_layout
from tests.cluster.rollouts import pods
from tools import toolchain

FASTER = 60
"""Seconds of the rules in one second of the clock."""
MILLISECONDS = {"s": 1000, "m": 60_000, "h": 3_600_000}
DURATION = re.compile(r"(\d+)([smh])")
WINDOW = re.compile(rf"\[{DURATION.pattern}\]")
FIRING = 'ALERTS{alertstate="firing"}'
LOOK_SECONDS = 0.5
START_SECONDS = 60


def shortened(rules: str) -> str:
    """Returns a rule file with every duration divided by FASTER."""
    document = yaml.safe_load(rules)
    for rule in (rule for group in document["groups"] for rule in group["rules"]):
        rule["expr"] = shortened_query(rule["expr"])
        rule["for"] = DURATION.sub(_shorter, rule["for"])
    return yaml.safe_dump(document)


def shortened_query(query: str) -> str:
    """Returns a query with every window divided by FASTER."""
    return WINDOW.sub(lambda match: f"[{_shorter(match)}]", query)


def _shorter(match: re.Match[str]) -> str:
    return f"{int(match[1]) * MILLISECONDS[match[2]] // FASTER}ms"


class Prometheus:
    """A running Prometheus, asked through its HTTP API."""

    def __init__(self, port: int) -> None:
        self._began = time.monotonic()
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=30, trust_env=False)

    def ready(self) -> bool:
        """Returns whether it answers."""
        with contextlib.suppress(httpx.HTTPError):
            return self._http.get("/status/runtimeinfo").status_code == 200
        return False

    def query(self, query: str) -> list[dict[str, Any]]:
        """Returns the samples of an instant query."""
        answer = self._http.get("/query", params={"query": query}).json()
        assert answer["status"] == "success", (query, answer)
        return answer["data"]["result"]

    def range(self, query: str, seconds: int) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
        """Returns the labels of each series of a query, and its values by second in the last `seconds`."""
        end = time.time()
        times = {"start": end - seconds, "end": end, "step": 1}
        answer = self._http.get("/query_range", params={"query": query, **times}).json()
        assert answer["status"] == "success", (query, answer)
        return [
            (
                series["metric"],
                # A quantile or share of no requests is no number.
                [(at - end + seconds, float(value)) for at, value in series["values"] if value != "NaN"],
            )
            for series in answer["data"]["result"]
        ]

    def begin(self) -> bool:
        """Returns whether it has read a ready server; `fired` counts from then on.

        Before its first look at the server there is no series, and NoReadyServer says so.
        """
        self._began = time.monotonic()
        unread = self.query('ALERTS{alertname="NoReadyServer"}')
        return bool(self.query("tpuserve_ready == 1")) and not unread

    def fired(self) -> set[str]:
        """Returns the names of the alerts that fire or have fired."""
        seconds = max(1, int(time.monotonic() - self._began))
        samples = self.query(f"group by (alertname) (max_over_time({FIRING}[{seconds}s]))")
        return {sample["metric"]["alertname"] for sample in samples}

    def await_fired(self, alerts: set[str], seconds: float) -> None:
        """Wait until all of the alerts have fired, and require that no other one has. Fails the test after
        `seconds`."""
        deadline = time.monotonic() + seconds
        while not alerts <= (fired := self.fired()):
            assert time.monotonic() < deadline, (alerts - fired, self.query("ALERTS"))
            time.sleep(LOOK_SECONDS)
        assert fired == alerts


@contextlib.contextmanager
def watching(folder: Path, rules: str) -> Iterator[Prometheus]:
    """Yields a Prometheus that reads the pods of the local server and evaluates the shortened `rules`."""
    folder.mkdir(parents=True, exist_ok=True)
    targets, port = folder / "targets.json", tunnel.free_port()
    (folder / "rules.yaml").write_text(shortened(rules))
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(_configuration(folder, targets)))
    stop = threading.Event()
    discovery = threading.Thread(target=_discover, args=(targets, stop))
    _write_targets(targets)
    words = [
        toolchain.path("prometheus"),
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        discovery.start()
        try:
            prometheus = Prometheus(port)
            deadline = time.monotonic() + START_SECONDS
            while not (prometheus.ready() and prometheus.begin()):
                assert time.monotonic() < deadline and process.poll() is None, (folder / "log").read_text()
                time.sleep(LOOK_SECONDS)
            yield prometheus
        finally:
            stop.set()
            discovery.join()
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=START_SECONDS)


def _configuration(folder: Path, targets: Path) -> dict[str, Any]:
    return {
        "global": {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "1s"},
        "rule_files": [str(folder / "rules.yaml")],
        "scrape_configs": [
            {
                "job_name": "vllm",
                "file_sd_configs": [{"files": [str(targets)], "refresh_interval": "1s"}],
            }
        ],
    }


def _discover(targets: Path, stop: threading.Event) -> None:
    """Keeps the list of pods, as the operator of a PodMonitoring does."""
    while not stop.wait(LOOK_SECONDS):
        # The API server may be stopped by the test: the old list stays.
        with contextlib.suppress(Exception):
            _write_targets(targets)


def _write_targets(targets: Path) -> None:
    groups = [
        {
            "targets": [f"{address}:{port}"],
            "labels": {"namespace": container_layout.NAMESPACE, "pod": pod["metadata"]["name"]},
        }
        for pod in pods()
        if (address := pod["status"].get("podIP"))
        for port in (container_layout.PORT, container_layout.SIDECAR_PORT)
    ]
    unfinished = targets.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(groups))
    unfinished.replace(targets)
