"""The compile cache outlives the pod: a server publishes it once, and the next pod compiles nothing.

The numbers come from the server: vLLM's own log line, JAX's own cache events inside the engine, and the
sidecar's metrics.
"""

import json
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from local import cluster, image
from local.cluster import bucket, constants
from local.commands.kubectl import kubectl
from serving.deploy import container_layout
from serving.monitoring import prometheus_rules
from tests.cluster.cluster_fixtures import kill
from tests.cluster.commands import Server
from tests.cluster.prometheus import watching
from tests.unit.serving.monitoring import promtool

pytestmark = pytest.mark.usefixtures("checkout")
"""With the small engine, which has fewer programs, a boot that compiles everything is shorter."""
INIT = re.compile(r"init engine \(profile, create kv cache, warmup model\) took ([\d.]+) s")
WARM_SHARE = 0.5


@dataclass(frozen=True)
class Boot:
    """Report of one boot: engine initialization in seconds, JAX's cache events until the end of the warm-up,
    and the sidecar's metrics."""

    init_seconds: float
    warm_up: dict[str, float]
    metrics: str


def pod() -> dict[str, Any]:
    """Returns the server's only pod that is not terminating."""
    items = json.loads(kubectl("get", "pods", "-n", "tpuserve", "-o", "json"))["items"]
    alive = [item for item in items if "deletionTimestamp" not in item["metadata"]]
    assert len(alive) == 1, [item["metadata"]["name"] for item in items]
    return alive[0]


def restart() -> Boot:
    """Delete the pod, wait until its replacement serves, and return that one's report."""
    old = pod()["metadata"]["name"]
    kubectl("delete", "pod", old, "-n", "tpuserve", "--wait", "--timeout", "300s")
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        items = json.loads(kubectl("get", "pods", "-n", "tpuserve", "-o", "json"))["items"]
        if items and items[0]["metadata"]["name"] != old:
            break
        time.sleep(1)
    kubectl("wait", "pod", pod()["metadata"]["name"], "-n", "tpuserve", "--for=condition=Ready",
            "--timeout", "900s")  # fmt: skip
    return report()


def report() -> Boot:
    """Returns the report of the running server."""
    name = pod()["metadata"]["name"]
    log = kubectl("logs", name, "-n", "tpuserve", "-c", container_layout.SERVER)
    found = INIT.search(log)
    assert found, log[-3000:]
    read = f"print(open({container_layout.CACHE_EVENTS_FILE!r}).read())"
    words = ("exec", name, "-n", "tpuserve", "-c", container_layout.SERVER, "--", "python3", "-c", read)
    return Boot(float(found.group(1)), json.loads(kubectl(*words))["warm_up"], metrics())


def metrics() -> str:
    """Returns the metrics of the pod's sidecar."""
    address = pod()["status"]["podIP"]
    url = f"http://{address}:{container_layout.SIDECAR_PORT}/metrics"
    return httpx.get(url, trust_env=False, timeout=30).text


def await_metric(line: str, seconds: float = 120) -> None:
    """Wait until the sidecar's metrics have `line`. Fails the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while line not in metrics():
        assert time.monotonic() < deadline, metrics()
        time.sleep(1)


def test_the_next_pod_compiles_nothing(server: Server) -> None:
    cold = report()
    if cold.warm_up["misses"] == 0:  # An earlier run has left an archive.
        archives = bucket.folder() / constants.BUCKET / container_layout.CACHE_ARCHIVES
        shutil.rmtree(archives, ignore_errors=True)
        cold = restart()
    assert cold.warm_up["misses"] > 0, cold
    assert 'tpuserve_compile_cache_restore{result="none"} 1.0' in cold.metrics
    await_metric('tpuserve_compile_cache_publish{result="published"} 1.0')
    warm = restart()
    assert warm.warm_up["misses"] == 0 and warm.warm_up["hits"] > 0, warm
    assert 'tpuserve_compile_cache_restore{result="restored"} 1.0' in warm.metrics
    assert warm.init_seconds <= WARM_SHARE * cold.init_seconds, (cold, warm)


def test_a_bucket_that_is_down_costs_a_compilation_and_shows(server: Server, tmp_path: Path) -> None:
    # The alert is that of a release whose record names an archive.
    with watching(tmp_path, prometheus_rules.rule_file(promtool.ALERTS)) as prometheus:
        kill("bucket")
        try:
            cold = restart()
        finally:
            cluster.start(environment=image.environment())
        assert "CompileCacheMissed" in prometheus.fired()
    assert cold.warm_up["misses"] > 0
    assert 'tpuserve_compile_cache_restore{result="failed"} 1.0' in cold.metrics
    with server.client() as client:
        assert client.get("/ready").status_code == 200
