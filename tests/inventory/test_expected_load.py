"""A stack that expects a load: its outputs say whether its servers are enough, and no resource changes."""

import json
from typing import Any

import pytest

from config.traffic import simulation
from tests.inventory.golden import ThatDay
from tests.inventory.recorder import Inventory, deployable, record, stack_config
from tests.inventory.test_inventory import inventory_of

LOAD = {"load": "rate=1 prompt=123 answer=45", "slo": "first=2000 between=60"}


def planned(**changes: Any) -> Inventory:
    config = deployable(stack_config("prod"))
    config.pop("tpuserve:expected_load", None)
    config |= {f"tpuserve:{key}": json.dumps(value) for key, value in changes.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stacks.outputs.date", ThatDay)
        patch.setattr("stacks.sidecar_settings.commit", lambda: "COMMIT")
        return record("prod", config, {"foundation": inventory_of("foundation").outputs})


def test_no_resource_depends_on_the_expected_load() -> None:
    without, expecting = planned(), planned(expected_load=LOAD)
    assert expecting.resources == without.resources
    assert expecting.outputs.keys() - without.outputs.keys() == {"load"}
    differing = {name for name, value in without.outputs.items() if expecting.outputs[name] != value}
    assert differing == {"findings"}
    added = [each for each in expecting.outputs["findings"] if each not in without.outputs["findings"]]
    (finding,) = added
    assert finding.startswith("expected_load.load is 'rate=1 prompt=123 answer=45': nobody has simulated")
    assert expecting.outputs["load"].startswith("not simulated: run `make simulate STACK=NAME`")


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_the_committed_stacks_that_expect_a_load_have_its_simulation(stack: str) -> None:
    outputs = inventory_of(stack).outputs
    assert outputs["load"].startswith("simulated, not measured: ")
    assert not [each for each in outputs["findings"] if each.startswith("expected_load")]
    assert list(simulation.FOLDER.glob("*.json"))
