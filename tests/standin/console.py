"""Somebody else at the pretended Google: what tests do behind the program's back."""

import copy
from pathlib import Path
from typing import Any

from tests.standin import cloud, faults, gke, groups, lookups, store


class Console:
    """One project on the server that lives in `state` (the folder of TPUSERVE_STANDIN_STATE)."""

    def __init__(self, state: Path, project: str) -> None:
        self.state = state
        self.project = project

    def objects(self) -> dict[str, dict[str, Any]]:
        """What exists, by id."""
        with store.project(self.project, self.state) as memory:
            return {
                name: copy.deepcopy(entry)
                for name, entry in memory["objects"].items()
                if not entry.get("gone")
            }

    def find(self, end: str) -> dict[str, Any]:
        """The one thing whose id ends so. Raises LookupError when there is none, or more than one."""
        found = [entry for name, entry in self.objects().items() if name.endswith(end)]
        if len(found) != 1:
            raise LookupError(f"{len(found)} things end with {end!r} in {self.project}")
        return found[0]

    def enable(self, *services: str) -> None:
        """Enable APIs, as `gcloud services enable` does: names such as `compute`."""
        with store.project(self.project, self.state) as memory:
            memory["services"] = sorted(
                {*memory["services"], *(f"{name}.googleapis.com" for name in services)}
            )

    def order(self, *ordered: dict[str, Any]) -> None:
        """Replace the faults that are on order (tests.standin.faults lists them); none clears them."""
        store.write(self.state / faults.FILE, list(ordered))
        with store.project(self.project, self.state) as memory:
            memory["used"] = {}

    def edit(self, end: str, path: str, value: Any) -> None:
        """Change one field of a thing, such as `nodeConfig.labels.team`; None takes it away."""
        identity = self.find(end)["id"]
        with store.project(self.project, self.state) as memory:
            cloud.put(memory["objects"][identity]["inputs"], path, value)

    def remove(self, end: str) -> None:
        """Delete a thing, whatever protects it."""
        entry = self.find(end)
        with store.project(self.project, self.state) as memory:
            del memory["objects"][entry["id"]]
        gke.deleted(entry)

    def upload(self, bucket: str, name: str) -> None:
        """Put an object into a bucket."""
        with store.project(self.project, self.state) as memory:
            memory["objects"][f"{bucket}-{name}"] = {
                "token": cloud.OBJECT,
                "id": f"{bucket}-{name}",
                "inputs": {"bucket": bucket, "name": name},
                "outputs": {},
            }

    @property
    def vault(self) -> Path:
        """Where the values of secrets are, apart from everything that the provider keeps."""
        return self.state / lookups.VAULT

    def add_version(self, secret: str, value: str) -> None:
        """Give a secret its value, as `gcloud secrets versions add` does."""
        self.find(f"/secrets/{secret}")
        store.write(self.vault, {**store.read(self.vault, {}), secret: value})

    def preempt(self, end: str) -> None:
        """Google takes a group's spot machines back."""
        identity = self.find(end)["id"]
        with store.project(self.project, self.state) as memory:
            groups.preempt(memory["objects"][identity])

    def mend(self, end: str) -> None:
        """The machines of a group are mended by hand; their servers answer from now on."""
        identity = self.find(end)["id"]
        with store.project(self.project, self.state) as memory:
            groups.mend(memory["objects"][identity])

    def scale(self, end: str, nodes: int) -> None:
        """What the cluster autoscaler does with a node pool: so many nodes in each zone."""
        identity = self.find(end)["id"]
        with store.project(self.project, self.state) as memory:
            memory["objects"][identity]["scaled"] = nodes
            entry = copy.deepcopy(memory["objects"][identity])
        gke.created(entry)
