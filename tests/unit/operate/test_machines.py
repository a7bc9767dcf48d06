"""TPU VMs as Google's APIs show them."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from config.targets import TpuVmTarget
from operate import machines
from operate.diagnosis.machine_stages import Machine
from tests.unit.operate.conftest import Http
from tools.support.errors import Refusal

Cloud = Callable[[dict[str, Any]], Http]
Outputs = dict[str, dict[str, Any]]
REPORT = {"release": "ab12cd34", "state": "serving", "stages": {}}
ATTRIBUTES = {
    "queryValue": {"items": [{"namespace": "tpuserve", "key": "status", "value": json.dumps(REPORT)}]}
}
INSTANCE = "https://www.googleapis.com/compute/v1/projects/my-project/zones/us-east5-b/instances/dev-1-x2x9"
STOCKOUT = {"code": "ZONE_RESOURCE_POOL_EXHAUSTED", "message": "The zone does not have enough resources"}


def target(**changes: Any) -> TpuVmTarget:
    known = {"kind": "tpu-vm", "project": "my-project", "zone": "us-east5-b", "capacity": {"kind": "spot"}}
    return TpuVmTarget.model_validate({**known, **changes})


@pytest.fixture(autouse=True)
def deployed(stack_outputs: Outputs) -> None:
    """A stack that is up."""
    stack_outputs["dev"] = {"group": "tpuserve-dev-1a2b", "machine": "tpuserve-dev-3c4d"}


RUNNING = {
    "instance": INSTANCE,
    "instanceStatus": "RUNNING",
    "currentAction": "VERIFYING",
    "instanceHealth": [{"detailedHealthState": "HEALTHY"}],
}
GROUP = "compute/v1/projects/my-project/zones/us-east5-b/instanceGroupManagers/tpuserve-dev-1a2b"


def test_a_groups_machines_have_their_reports(cloud: Cloud) -> None:
    http = cloud(
        {
            "/listManagedInstances": {"managedInstances": [RUNNING]},
            "/listErrors": {},
            "/getGuestAttributes": ATTRIBUTES,
        }
    )
    found = machines.evidence("dev", target(), 1)
    name, zone = "dev-1-x2x9", "us-east5-b"
    assert found.machines == [Machine(name, zone, "RUNNING", "VERIFYING", "HEALTHY", [], REPORT)]
    assert found.wanted == 1 and found.machines[0].serves
    assert [path for _, path, _ in http.sent] == [
        f"{GROUP}/listManagedInstances",
        f"{GROUP}/listErrors",
        "compute/v1/projects/my-project/zones/us-east5-b/instances/dev-1-x2x9/getGuestAttributes",
    ]


def test_a_machine_without_a_report_has_none(cloud: Cloud) -> None:
    cloud({"/listManagedInstances": {"managedInstances": [RUNNING]}, "/listErrors": {}})
    assert machines.evidence("dev", target(), 1).machines[0].report is None


def test_a_machine_that_is_not_created_has_its_errors(cloud: Cloud) -> None:
    waiting = {
        "instance": INSTANCE,
        "currentAction": "CREATING",
        "lastAttempt": {"errors": {"errors": [STOCKOUT]}},
    }
    cloud({"/listManagedInstances": {"managedInstances": [waiting]}, "/listErrors": {}})
    (found,) = machines.evidence("dev", target(), 1).machines
    assert (found.state, found.action, found.report) == ("", "CREATING", None)
    assert found.errors == ["ZONE_RESOURCE_POOL_EXHAUSTED: The zone does not have enough resources"]


def test_the_newest_error_of_a_group_comes_first(cloud: Cloud) -> None:
    errors = [
        {"timestamp": "2026-11-01T10:00:00Z", "error": {"code": "OLD", "message": "before"}},
        {"timestamp": "2026-11-02T10:00:00Z", "error": STOCKOUT},
    ]
    cloud({"/listManagedInstances": {}, "/listErrors": {"items": errors}})
    first, second = machines.evidence("dev", target(), 2).group_errors
    assert first.startswith("ZONE_RESOURCE_POOL_EXHAUSTED") and second == "OLD: before"


def test_a_group_of_several_zones_is_regional(cloud: Cloud) -> None:
    http = cloud({"/listManagedInstances": {}, "/listErrors": {}})
    machines.evidence("dev", target(other_zones=["us-east5-a"], keep_data=False), 1)
    assert all("/regions/us-east5/instanceGroupManagers/" in path for _, path, _ in http.sent)


def test_flex_start_reports_what_became_of_its_request(cloud: Cloud) -> None:
    request = {"status": {"lastAttempt": {"error": {"errors": [STOCKOUT]}}}}
    cloud({"/listManagedInstances": {}, "/listErrors": {}, "/resizeRequests": {"items": [request]}})
    capacity = {"kind": "flex-start", "max_run_hours": 24}
    found = machines.evidence("dev", target(capacity=capacity, keep_data=False), 1)
    assert found.group_errors == ["ZONE_RESOURCE_POOL_EXHAUSTED: The zone does not have enough resources"]


def test_the_machine_of_the_cloud_tpu_api(cloud: Cloud) -> None:
    node = {"state": "READY", "networkEndpoints": [{"ipAddress": "10.0.0.7"}]}
    http = cloud({"/tpuserve-dev-3c4d": node, ":getGuestAttributes": {"guestAttributes": [ATTRIBUTES]}})
    (found,) = machines.evidence("dev", target(api="cloud-tpu"), 1).machines
    assert (found.name, found.address, found.report) == ("tpuserve-dev-3c4d", "10.0.0.7", REPORT)
    assert [path for _, path, _ in http.sent] == [
        "v2/projects/my-project/locations/us-east5-b/nodes/tpuserve-dev-3c4d",
        "v2/projects/my-project/locations/us-east5-b/nodes/tpuserve-dev-3c4d:getGuestAttributes",
    ]


@pytest.mark.parametrize("api", ["compute-engine", "cloud-tpu"])
def test_a_stack_whose_machines_are_gone_is_not_up(cloud: Cloud, api: str) -> None:
    cloud({})
    with pytest.raises(Refusal) as refusal:
        machines.evidence("dev", target(api=api), 1)
    assert str(refusal.value).startswith("STACK=dev is not up")
