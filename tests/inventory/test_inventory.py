"""The whole plan of every stack as readable YAML: its diff in a pull request is the review.

Regenerate after an intended change: python -m pytest tests/inventory --update
"""

import functools
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.inventory.golden import ThatDay
from tests.inventory.recorder import REPOSITORY, Inventory, deployable, record, stack_config

STACKS = sorted(path.name.split(".")[1] for path in REPOSITORY.glob("Pulumi.*.yaml"))
GOLDEN = Path(__file__).parent


@functools.cache
def inventory_of(stack: str) -> Inventory:
    """A stack's inventory, recorded once, with folders that no machine has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TPUSERVE_CACHE", "/cache")
        patch.delenv("TPUSERVE_INSTANCE", raising=False)
        patch.setattr("stacks.outputs.date", ThatDay)
        patch.setattr("stacks.sidecar_settings.commit", lambda: "COMMIT")
        config = deployable(stack_config(stack))
        if stack == "local":
            # The image's name is a hash of its sources: every edit there would be a diff here.
            config["tpuserve:image"] = "tpuserve.local/vllm-tpu:inventory"
        references = {"foundation": inventory_of("foundation").outputs} if "zone" in str(config) else {}
        return record(stack, config, references)


@pytest.fixture(scope="module", params=STACKS)
def plan(request: pytest.FixtureRequest) -> tuple[str, Inventory]:
    """Name and inventory of each stack."""
    return request.param, inventory_of(request.param)


def test_plan_is_the_reviewed_one(plan: tuple[str, Inventory], pytestconfig: pytest.Config) -> None:
    stack, inventory = plan
    text = _text(inventory)
    file = GOLDEN / f"{stack}.yaml"
    if pytestconfig.getoption("--update"):
        file.write_text(text, "utf-8")
    assert file.exists() and text == file.read_text("utf-8"), (
        f"the plan of stack {stack} differs from {file.relative_to(REPOSITORY)}; if that is meant: "
        "python -m pytest tests/inventory --update, and review the diff"
    )


def test_every_resource_has_an_explicit_provider(plan: tuple[str, Inventory]) -> None:
    _, inventory = plan
    kinds = [key for key in inventory.resources if key.startswith(("kubernetes:", "gcp:"))]
    assert kinds
    assert [key for key in kinds if "provider" not in inventory.resources[key]] == []


def test_no_secret_is_an_input(plan: tuple[str, Inventory]) -> None:
    """Values of secrets never pass through Pulumi, so there is neither a Secret nor a secret input."""
    _, inventory = plan
    assert inventory.of_type("kubernetes:core/v1:Secret") == {}
    assert "[secret]" not in _text(inventory)


def test_children_belong_to_their_component(plan: tuple[str, Inventory]) -> None:
    _, inventory = plan
    for key, entry in inventory.resources.items():
        kind = key.split("::")[0]
        if kind.startswith("tpuserve:"):
            children = [k for k, v in inventory.resources.items() if v.get("parent") == key.split("::")[1]]
            assert children, f"{key} has no child: it is a wrapper without content"
        assert "parent" in entry or kind.startswith(("tpuserve:", "pulumi:")) or kind.endswith(":Namespace")


@pytest.mark.parametrize("stack", ["baseline", "peak", "turbo-stable", "staging", "prod"])
def test_metrics_are_read_from_the_pods_and_the_port_that_have_them(stack: str) -> None:
    inventory = inventory_of(stack)
    [read] = inventory.of_type("kubernetes:monitoring.googleapis.com/v1:PodMonitoring").values()
    [server] = inventory.of_type("kubernetes:apps/v1:Deployment").values()
    pods = server["inputs"]["spec"]["template"]
    spec = read["inputs"]["spec"]
    assert spec["selector"]["matchLabels"].items() <= pods["metadata"]["labels"].items()
    assert read["inputs"]["metadata"]["namespace"] == server["inputs"]["metadata"]["namespace"]
    ports = {port["name"] for each in pods["spec"]["containers"] for port in each["ports"]}
    assert {endpoint["port"] for endpoint in spec["endpoints"]} <= ports
    assert {each["from"] for each in spec["targetLabels"]["fromPod"]} <= set(pods["metadata"]["labels"])


def _text(inventory: Inventory) -> str:
    document: dict[str, Any] = {"outputs": inventory.outputs, "resources": inventory.resources}
    plain = json.dumps(_shorten(document))
    # Before YAML is written, which puts a hash in quotes when it looks like a number.
    for name, value in _volatile(inventory):
        plain = plain.replace(value, f"<{name}>")
    return yaml.safe_dump(json.loads(plain), sort_keys=True, width=110)


def _volatile(inventory: Inventory) -> list[tuple[str, str]]:
    """Hashes that change with every edit of the agent or of the engine, named instead of shown."""
    found: list[tuple[str, str]] = []
    for entry in inventory.of_type("gcp:compute/instanceTemplate:InstanceTemplate").values():
        found.append(("machine", entry["inputs"]["namePrefix"].split("-")[-2]))
        found.append(("release", inventory.outputs["release"]))
    for name in inventory.of_type("kubernetes:core/v1:ConfigMap"):
        what, _, digits = name.rpartition("-")
        found.append((what, digits))
    for entry in inventory.of_type("kubernetes:apps/v1:Deployment").values():
        labels = entry["inputs"]["spec"]["template"]["metadata"]["labels"]
        found.append(("release", labels["tpuserve/release"]))
    return found


def _shorten(value: Any) -> Any:
    """Long texts (the agent's source in its ConfigMap) would bury the plan: show their first line."""
    if isinstance(value, dict):
        return {key: _shorten(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shorten(item) for item in value]
    if isinstance(value, str) and value.count("\n") > 3:
        return value.split("\n", 1)[0] + " …"
    if isinstance(value, str) and len(value) > 2000:
        return value[:40] + " …"
    return value
