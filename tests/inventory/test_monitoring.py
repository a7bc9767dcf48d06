"""Monitoring switched on: exactly what a stack gets beside what it has, and that Google's checks accept it.

Regenerate after an intended change: python -m pytest tests/inventory --update
"""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from policies.registry import RULES
from serving.monitoring.slo import BURNS
from tests.inventory.golden import ThatDay
from tests.inventory.recorder import Inventory, deployable, record, stack_config
from tests.inventory.test_inventory import inventory_of
from tests.unit.policies.test_policies import violations
from tools.fake_gcp.checks import check
from tools.fake_gcp.schema.example_parts import CONFIG

FOLDER = Path(__file__).parent / "monitoring"
MONITORING = {
    "enabled": True,
    "channels": ["projects/inventory-project/notificationChannels/1"],
    "budget": {"billing_account": "012345-6789AB-CDEF01", "monthly": 20000},
}
ALERT = "gcp:monitoring/alertPolicy:AlertPolicy"
TEMPLATE = "gcp:compute/instanceTemplate:InstanceTemplate"
LIMITS = {"limits": {"time_to_first_token_ms": 500}}


def planned(stack: str, monitoring: dict[str, Any], **changes: Any) -> Inventory:
    config = deployable(stack_config(stack))
    changed = {"monitoring": monitoring, "acceptance": LIMITS, **changes}
    config |= {f"tpuserve:{key}": json.dumps(value) for key, value in changed.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stacks.outputs.date", ThatDay)
        patch.setattr("stacks.sidecar_settings.commit", lambda: "COMMIT")
        return record(stack, config, {"foundation": inventory_of("foundation").outputs})


@pytest.fixture(scope="module", params=["dev", "prod"])
def both(request: pytest.FixtureRequest) -> tuple[str, Inventory, Inventory]:
    """A stack's name, and its plans without and with monitoring."""
    stack = request.param
    return stack, planned(stack, {}), planned(stack, MONITORING)


def added(without: Inventory, monitored: Inventory) -> dict[str, dict[str, Any]]:
    return {key: entry for key, entry in monitored.resources.items() if key not in without.resources}


def test_nothing_that_serves_changes(both: tuple[str, Inventory, Inventory]) -> None:
    """On TPU VMs the machines get the files of their collector, and so another template."""
    stack, without, monitored = both
    changed = {key for key in without.resources if monitored.resources[key] != without.resources[key]}
    assert {key.split("::")[0] for key in changed} == ({TEMPLATE} if stack == "dev" else set())
    for key in changed:
        before, after = (dict(plan.resources[key]["inputs"]["metadata"]) for plan in (without, monitored))
        assert {name for name in before if before[name] != after[name]} == {"tpuserve-files"}
    assert monitored.outputs["release"] == without.outputs["release"]


def test_what_is_added_is_the_reviewed_list(
    both: tuple[str, Inventory, Inventory], pytestconfig: pytest.Config
) -> None:
    stack, without, monitored = both
    text = yaml.safe_dump(_readable(added(without, monitored)), sort_keys=True, width=110)
    file = FOLDER / f"{stack}.yaml"
    if pytestconfig.getoption("--update"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, "utf-8")
    assert file.exists() and text == file.read_text("utf-8"), (
        f"the monitoring of stack {stack} differs from {file}; if that is meant: "
        "python -m pytest tests/inventory --update, and review the diff"
    )


def test_google_s_checks_accept_it(both: tuple[str, Inventory, Inventory]) -> None:
    _, without, monitored = both
    found = {
        key: check.check(key.split("::")[0], entry["inputs"], CONFIG)
        for key, entry in added(without, monitored).items()
        if key.startswith("gcp:")
    }
    assert found and {key: problems for key, problems in found.items() if problems} == {}


def test_the_policy_pack_accepts_it(both: tuple[str, Inventory, Inventory]) -> None:
    stack, without, monitored = both
    new = added(without, monitored)
    plan = {key: entry for key, entry in monitored.resources.items() if key in new or "providers:" in key}
    assert {rule.name: violations(rule.name, stack, plan) for rule in RULES} == {
        rule.name: [] for rule in RULES
    }


def test_every_policy_notifies_and_names_its_section(both: tuple[str, Inventory, Inventory]) -> None:
    _, _, monitored = both
    policies = monitored.of_type(ALERT)
    for entry in policies.values():
        assert entry["inputs"]["notificationChannels"] == MONITORING["channels"]
        assert "docs/alerts.md#" in entry["inputs"]["documentation"]["content"]


@pytest.mark.parametrize(("stack", "server"), [("prod", "vllm-server"), ("dev", "vllm")])
def test_the_policies_wait_for_the_first_accepted_server(stack: str, server: str) -> None:
    """Otherwise every first boot would be an outage."""
    plan = planned(stack, MONITORING)
    for name in ("alerts", "objectives"):
        (component,) = [entry for key, entry in plan.resources.items() if key.endswith(f"::{name}")]
        assert any(each.startswith(server) for each in component["dependsOn"])


def test_a_machine_may_write_metrics_before_its_server_is_accepted() -> None:
    """Otherwise nobody would see why a first server is not."""
    plan = planned("dev", MONITORING)
    (grant,) = [entry for key, entry in plan.resources.items() if key.endswith("::metrics-writer")]
    assert grant["inputs"]["role"] == "roles/monitoring.metricWriter"
    (component,) = [entry for key, entry in plan.resources.items() if key.endswith("::metrics")]
    assert not component.get("dependsOn")


@pytest.mark.parametrize(
    ("changes", "policies"),
    [
        ({"replicas": 3}, {"alerts-ServerNotReadyInTime"}),
        ({"engine": {"max_num_seqs": 64}}, {"alerts-QueueTooLong", "alerts-HbmFreeBelowPlan"}),
        ({"longest_request_seconds": 600}, {"alerts-ServerNotReadyInTime"}),
        ({"allowed_origins": ["https://chat.example.org"]}, set[str]()),
        ({"monitoring": {**MONITORING, "api_key_days": 30}}, {"alerts-ApiKeyOld"}),
        (
            {"acceptance": {"limits": {"time_to_first_token_ms": 250}}},
            {"alerts-FirstTokenSlow", *(f"objectives-latency-{burn.severity}" for burn in BURNS)},
        ),
    ],
)
def test_a_change_of_the_stack_changes_its_own_policies_only(
    changes: dict[str, Any], policies: set[str]
) -> None:
    before = planned("prod", MONITORING).of_type(ALERT)
    after = planned("prod", changes.pop("monitoring", MONITORING), **changes).of_type(ALERT)
    assert before.keys() == after.keys()
    assert {name for name in before if before[name] != after[name]} == policies


def _readable(resources: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The dashboard as the names of its panels: its queries are tested with the panels."""
    shown = copy.deepcopy(resources)
    for key, entry in shown.items():
        if key.startswith("gcp:monitoring/dashboard:"):
            content = json.loads(entry["inputs"]["dashboardJson"])
            titles = [tile["widget"]["title"] for tile in content["mosaicLayout"]["tiles"]]
            entry["inputs"]["dashboardJson"] = {"displayName": content["displayName"], "panels": titles}
    return shown
