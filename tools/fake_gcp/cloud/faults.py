"""Faults on demand: `faults.json` in the fake cloud's folder lists what goes wrong, when and how often.

A fault is a group such as {"fault": "stockout", "type": "*NodePool", "name": "*tpu*", "on": "create",
"times": 1}. `type` and `name` are shell patterns over the type token and the id; `on` is create, read,
update or delete; `times` is how often it happens (1 when not set; 0 means always). What each fault does:

| fault | effect |
|---|---|
| permission | refused, Google's 403 |
| quota | refused, Google's quota message; `quota`, `limit` |
| unavailable | refused, 503 |
| stockout | the zone has no capacity: a node pool or group exists in state ERROR, another thing does not |
| timeout | the provider gives up waiting; the object exists |
| lost | the connection breaks after the object was made: it exists, and the caller gets no answer |
| slow | takes `seconds` of simulated time (and really sleeps `sleep`): longer than the time-out fails |
| drift | someone changes fields: `set` maps paths such as nodeConfig.labels.team to values |
| unhealthy | the health check of an instance group never turns healthy |
"""

import fnmatch
import hashlib
import json
from typing import Any

from tools.fake_gcp.cloud import store

FILE = "faults.json"
OPERATIONS = ("create", "read", "update", "delete")
NAMES = (
    "permission",
    "quota",
    "unavailable",
    "stockout",
    "timeout",
    "lost",
    "slow",
    "drift",
    "unhealthy",
)
WHEN = {"drift": "read", "unhealthy": "create"}


def load() -> list[dict[str, Any]]:
    """Returns the ordered faults. Raises ValueError for one that does not exist."""
    faults = store.read(store.folder() / FILE, [])
    for fault in faults:
        if fault.get("fault") not in NAMES or fault.get("on", "create") not in OPERATIONS:
            raise ValueError(
                f"{FILE} has the fault {fault}, which does not exist: use one of "
                f"{', '.join(NAMES)} on one of {OPERATIONS}."
            )
    return faults


def due(memory: dict[str, Any], token: str, identity: str, operation: str) -> dict[str, dict[str, Any]]:
    """Returns the faults that strike this operation, by name; counts each strike in the project's memory."""
    struck: dict[str, dict[str, Any]] = {}
    for fault in load():
        name = fault["fault"]
        if (
            operation == fault.get("on", WHEN.get(name, "create"))
            and fnmatch.fnmatchcase(token, fault.get("type", "*"))
            and fnmatch.fnmatchcase(identity, fault.get("name", "*"))
        ):
            key = hashlib.sha256(json.dumps(fault, sort_keys=True).encode()).hexdigest()[:12]
            used, times = memory["used"].get(key, 0), fault.get("times", 1)
            if not times or used < times:
                memory["used"][key] = used + 1
                struck[name] = fault
    return struck
