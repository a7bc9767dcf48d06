"""The compile cache outlives the pod: a second boot compiles nothing.

Both numbers come from the server: vLLM's own log line, and JAX's own cache events inside the engine.
"""

import json
import re
import shutil
import time
from dataclasses import dataclass
from typing import Any

from local.commands.kubectl import kubectl
from serving.deploy import container_layout
from tests.cluster.conftest import Server
from tools.support import paths

INIT = re.compile(r"init engine \(profile, create kv cache, warmup model\) took ([\d.]+) s")
WARM_SHARE = 0.5


@dataclass(frozen=True)
class Boot:
    """Report of one boot: engine initialization in seconds, and JAX's cache events."""

    init_seconds: float
    events: dict[str, Any]


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
    name = pod()["metadata"]["name"]
    kubectl("wait", "pod", name, "-n", "tpuserve", "--for=condition=Ready", "--timeout", "900s")
    log = kubectl("logs", name, "-n", "tpuserve")
    found = INIT.search(log)
    assert found, log[-3000:]
    read = f"print(open({container_layout.CACHE_EVENTS_FILE!r}).read())"
    events = kubectl("exec", name, "-n", "tpuserve", "--", "python3", "-c", read)
    return Boot(float(found.group(1)), json.loads(events))


def test_the_second_boot_is_warm(server: Server) -> None:
    folder = paths.node_data() / "compile-cache"
    for child in folder.iterdir():
        shutil.rmtree(child)
    cold, warm = restart(), restart()
    assert cold.events["misses"] > 0, cold
    assert warm.events["misses"] == 0 and warm.events["hits"] > 0, warm
    assert warm.init_seconds <= WARM_SHARE * cold.init_seconds, (cold, warm)
