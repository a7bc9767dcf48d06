"""Changes by another user of the fake Google Cloud, which tests make behind the program's back."""

import copy
from pathlib import Path
from typing import Any

from tools.fake_gcp.cloud import faults, gke, groups, lookups, operations, store


class Console:
    """One project on the server in the folder `state` (that of TPUSERVE_STANDIN_STATE)."""

    def __init__(self, state: Path, project: str) -> None:
        self.state = state
        self.project = project

    def objects(self) -> dict[str, dict[str, Any]]:
        """Returns the existing resources by id."""
        with store.project(self.project, self.state) as memory:
            return {
                name: copy.deepcopy(entry)
                for name, entry in memory["objects"].items()
                if not entry.get("gone")
            }

    def find(self, end: str) -> dict[str, Any]:
        """Returns the only resource whose id ends with `end`. Raises LookupError when there is none, or more
        than one."""
        found = [entry for name, entry in self.objects().items() if name.endswith(end)]
        if len(found) != 1:
            raise LookupError(f"{len(found)} resources end with {end!r} in {self.project}")
        return found[0]

    def enable(self, *services: str) -> None:
        """Enable APIs, as `gcloud services enable` does: names such as `compute`."""
        with store.project(self.project, self.state) as memory:
            memory["services"] = sorted(
                {*memory["services"], *(f"{name}.googleapis.com" for name in services)}
            )

    def order(self, *ordered: dict[str, Any]) -> None:
        """Replace the ordered faults (tools.fake_gcp.cloud.faults lists them); no arguments clear them."""
        store.write(self.state / faults.FILE, list(ordered))
        with store.project(self.project, self.state) as memory:
            memory["used"] = {}

    def edit(self, end: str, path: str, value: Any) -> None:
        """Change one field of a resource, such as `nodeConfig.labels.team`; None removes it."""
        identity = self.find(end)["id"]
        with store.project(self.project, self.state) as memory:
            operations.put(memory["objects"][identity]["inputs"], path, value)

    def remove(self, end: str) -> None:
        """Delete a resource, whatever protects it."""
        entry = self.find(end)
        with store.project(self.project, self.state) as memory:
            del memory["objects"][entry["id"]]
        gke.deleted(entry)

    def upload(self, bucket: str, name: str) -> None:
        """Put an object into a bucket."""
        with store.project(self.project, self.state) as memory:
            memory["objects"][f"{bucket}-{name}"] = {
                "token": operations.OBJECT,
                "id": f"{bucket}-{name}",
                "inputs": {"bucket": bucket, "name": name},
                "outputs": {},
            }

    @property
    def vault(self) -> Path:
        """Returns the file with the values of secrets, separate from everything that the provider stores."""
        return self.state / lookups.VAULT

    def add_version(self, secret: str, value: str) -> None:
        """Set a secret's value, as `gcloud secrets versions add` does."""
        self.find(f"/secrets/{secret}")
        store.write(self.vault, {**store.read(self.vault, {}), secret: value})

    def preempt(self, end: str) -> None:
        """Preempt a group's spot machines, as Google does."""
        identity = self.find(end)["id"]
        with store.project(self.project, self.state) as memory:
            groups.preempt(memory["objects"][identity])

    def repair(self, end: str) -> None:
        """Fix the machines of a group by hand; their servers answer from now on."""
        identity = self.find(end)["id"]
        with store.project(self.project, self.state) as memory:
            groups.repair(memory["objects"][identity])

    def scale(self, end: str, nodes: int) -> None:
        """Resize a node pool to `nodes` in each zone, as the cluster autoscaler does."""
        identity = self.find(end)["id"]
        with store.project(self.project, self.state) as memory:
            memory["objects"][identity]["scaled"] = nodes
            entry = copy.deepcopy(memory["objects"][identity])
        gke.created(entry)
