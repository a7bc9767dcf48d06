"""A stack that names a release: its plan is that of the stack file from which the release was accepted."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent import bundle
from config.promotion import DECIDED
from config.stack_file import parse
from serving.engine.phases import PHASES
from stacks.plan import plan
from tests import promoted
from tests.inventory.golden import ThatDay
from tests.inventory.recorder import Inventory, deployable, record, stack_config
from tests.inventory.test_inventory import inventory_of


def planned(stack: str, config: dict[str, str]) -> Inventory:
    return record(stack, config, {"foundation": inventory_of("foundation").outputs})


@pytest.fixture
def promote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, str]]:
    """Returns the configuration of a stack after its own release was promoted to it."""
    monkeypatch.setattr("stacks.load.FOLDER", tmp_path)
    monkeypatch.setattr("stacks.outputs.date", ThatDay)

    def promoted_config(stack: str) -> dict[str, str]:
        config = deployable(stack_config(stack))
        settings = parse({key: value for key, value in config.items()}, (), tmp_path)
        assert settings.image_name is not None
        name = promoted.write(tmp_path, plan(settings, settings.image_name))
        decided = {f"tpuserve:{key}" for key in DECIDED}
        return {key: value for key, value in config.items() if key not in decided} | {
            "tpuserve:release": name
        }

    return promoted_config


def server(inventory: Inventory) -> Any:
    """Returns what starts a server: its container with the agent's files, or the metadata of a machine.

    The sidecar's settings differ: a promoted release restores the archive of its record and publishes none.
    """
    for entry in inventory.of_type("kubernetes:apps/v1:Deployment").values():
        maps = inventory.of_type("kubernetes:core/v1:ConfigMap")
        [agent] = [each for name, each in maps.items() if name.startswith("vllm-agent-")]
        return entry["inputs"]["spec"]["template"]["spec"]["containers"][0], agent
    (entry,) = inventory.of_type("gcp:compute/instanceTemplate:InstanceTemplate").values()
    metadata = entry["inputs"]["metadata"]
    return [json.loads(metadata[name]) for name in ("tpuserve-files", "tpuserve-agent")]


def numbers(inventory: Inventory) -> dict[str, Any]:
    """Returns the outputs without the advice on the engine, which a promoted release does not repeat."""
    return {name: value for name, value in inventory.outputs.items() if name != "findings"}


@pytest.mark.parametrize("stack", ["prod", "dev"])
def test_a_promoted_stack_starts_the_same_server_whatever_changed(
    stack: str, promote: Callable[[str], dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = inventory_of(stack)
    config = promote(stack)
    assert numbers(planned(stack, config)) == numbers(before)
    files = {**bundle.files(), "agent/server/guard.py": "later = True\n"}
    monkeypatch.setattr(bundle, "files", lambda: files)
    monkeypatch.setattr("serving.engine.phases.PHASES", {"other": PHASES["tuned"]})
    after = planned(stack, config)
    assert server(after) == server(before)
    assert numbers(after) == numbers(before)
