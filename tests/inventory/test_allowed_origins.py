"""Web pages' origins in the plans: the server's environment has them, on Kubernetes and on TPU VMs."""

import json
from typing import Any

import pytest

from tests.inventory.recorder import deployable, record, stack_config
from tests.inventory.test_inventory import inventory_of

ORIGINS = ["https://a.example.com", "https://b.example.com"]
VALUE = "https://a.example.com,https://b.example.com"


def plan(stack: str, origins: list[str]) -> Any:
    config = {**deployable(stack_config(stack)), "tpuserve:allowed_origins": json.dumps(origins)}
    return record(stack, config, {"foundation": inventory_of("foundation").outputs})


@pytest.mark.parametrize("stack", ["prod", "dev"])
def test_the_server_knows_the_origins(stack: str) -> None:
    listed = plan(stack, ORIGINS)
    assert VALUE in json.dumps(listed.resources)
    assert VALUE not in json.dumps(inventory_of(stack).resources)
    # Staging and prod may have other pages and run one release.
    assert listed.outputs["release"] == inventory_of(stack).outputs["release"]
