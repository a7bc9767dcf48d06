"""Each rule over the recorded plans: every stack keeps it, and a plan with one mistake does not."""

import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from policies.registry import RULES, STACK_RULES
from policies.resource import UNKNOWN, Resource
from serving.hardware.accelerators import ACCELERATORS
from tests.inventory.golden import STACKS, golden
from tests.inventory.recorder import REPOSITORY
from tests.unit.policies.mistakes import (
    BUCKET,
    CLUSTER,
    GATEWAY,
    MISTAKES,
    POOL,
    PUBLIC,
    Change,
    Plan,
    environment,
    put,
)

MARKS = {"tpuserve/accepted", "tpuserve-accepted"}


def promoted(value: Any) -> Any:
    """A recorded plan as it is after a promotion. The delivered stack files name no release."""
    if isinstance(value, dict):
        return {key: "true" if key in MARKS else promoted(item) for key, item in value.items()}
    return [promoted(item) for item in value] if isinstance(value, list) else value


GOLDEN = {stack: promoted(golden(stack)) for stack in STACKS}
NAMES = [rule.name for rule in (*RULES, *STACK_RULES)]


def resources(stack: str, plan: Plan) -> list[Resource]:
    """A recorded plan as the rules see it."""
    found: list[Resource] = []
    for key, entry in plan.items():
        kind, name = key.split("::", 1)
        provider = plan.get(f"pulumi:providers:{kind.split(':')[0]}::{entry.get('provider')}", {})
        inputs = dict(provider.get("inputs", {}))
        if isinstance(inputs.get("defaultLabels"), str):
            # A provider gets its objects as JSON.
            inputs["defaultLabels"] = json.loads(inputs["defaultLabels"])
        found.append(
            Resource(
                kind=kind,
                name=name,
                urn=f"urn:pulumi:{stack}::tpuserve::{kind}::{name}",
                inputs=entry.get("inputs", {}),
                protect=entry.get("protect", False),
                ignored=tuple(entry.get("ignoreChanges", ())),
                provider=inputs,
            )
        )
    return found


def violations(name: str, stack: str, plan: Plan) -> list[str]:
    """Returns the violations of rule `name` in a plan."""
    seen = resources(stack, plan)
    for rule in RULES:
        if rule.name == name:
            return [f"{resource.name} {text}" for resource in seen for text in rule.violations(resource)]
    (rule,) = [rule for rule in STACK_RULES if rule.name == name]
    return [f"{resource.name} {text}" for resource, text in rule.violations(seen)]


@pytest.mark.parametrize("rule", NAMES)
@pytest.mark.parametrize("stack", GOLDEN)
def test_every_stack_keeps_every_rule(stack: str, rule: str) -> None:
    assert violations(rule, stack, GOLDEN[stack]["resources"]) == []


IDS = [f"{rule}-{index}" for index, (rule, *_) in enumerate(MISTAKES)]


@pytest.mark.parametrize(("rule", "stack", "change", "sentence"), MISTAKES, ids=IDS)
def test_a_mistake_gives_its_sentence(rule: str, stack: str, change: Change, sentence: str) -> None:
    plan = copy.deepcopy(GOLDEN[stack]["resources"])
    change(plan)
    found = violations(rule, stack, plan)
    assert any(sentence in text for text in found), found


@pytest.mark.parametrize("name", ["foundation", "foundation-prod", "prod-eu", "dev"])
def test_data_is_protected_whatever_its_stack_is_called(name: str) -> None:
    plan = copy.deepcopy(GOLDEN["foundation"]["resources"])
    assert violations("protected-data", name, plan) == []
    put(BUCKET, "protect", None)(plan)
    put(BUCKET, "inputs.forceDestroy", True)(plan)
    assert len(violations("protected-data", name, plan)) == 2


@pytest.mark.parametrize("name", ["dev", "prod", "prod-eu"])
def test_a_stack_without_data_may_choose_to_be_unprotected(name: str) -> None:
    plan = copy.deepcopy(GOLDEN["prod"]["resources"])
    for key, entry in plan.items():
        if key.startswith(("gcp:container/cluster:", "gcp:container/nodePool:")):
            entry["protect"] = False
    assert violations("protected-machines", name, plan) != []
    put(CLUSTER, "inputs.deletionProtection", False)(plan)
    assert violations("protected-machines", name, plan) == []


def test_a_protected_stack_needs_an_accepted_release_once_it_names_an_image() -> None:
    """The delivered file of prod has the placeholder of an image, with which nothing is deployed."""
    plan = copy.deepcopy(golden("prod")["resources"])
    assert len(violations("accepted-release", "prod", plan)) == 1
    text = json.dumps(plan).replace("abcd" * 16, "0" * 64)
    assert violations("accepted-release", "prod", json.loads(text)) == []
    for stack in ("staging", "dev"):
        assert violations("accepted-release", stack, golden(stack)["resources"]) == []


def test_every_rule_has_a_mistake() -> None:
    assert {rule for rule, *_ in MISTAKES} == set(NAMES)


def test_a_violation_never_repeats_the_secret() -> None:
    plan = copy.deepcopy(GOLDEN["prod"]["resources"])
    canary = "hf_" + "c" * 34
    environment("HF_TOKEN", canary)(plan)
    found = violations("no-secret-value", "prod", plan)
    assert len(found) == 2 and not any(canary in text for text in found)


def test_a_public_gateway_with_a_key_is_allowed() -> None:
    plan = copy.deepcopy(GOLDEN["prod"]["resources"])
    put(GATEWAY, "inputs.spec.gatewayClassName", PUBLIC)(plan)
    assert violations("public-needs-a-key", "prod", plan) == []


def unknown(value: Any) -> Any:
    """The same inputs as a preview of a first deployment may see them: no text is known."""
    if isinstance(value, dict):
        return {key: unknown(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unknown(item) for item in value]
    return UNKNOWN if isinstance(value, str) else value


JUDGE_TEXTS = ("image-by-digest", "explicit-reservation", "least-roles", "one-region", "no-secret-value")


@pytest.mark.parametrize("rule", JUDGE_TEXTS)
def test_what_is_not_known_yet_is_not_judged(rule: str) -> None:
    plan = {
        key: {**entry, "inputs": unknown(entry.get("inputs", {}))}
        for key, entry in GOLDEN["prod"]["resources"].items()
        if not key.startswith("pulumi:")
    }
    assert violations(rule, "prod", plan) == []


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yields the path of every value inside of `value`."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield (*above, name)
        yield from places(part, (*above, name))


def without(value: Any, place: tuple[Any, ...]) -> Any:
    """The same value, where a preview does not know the one at `place`."""
    if not place:
        return UNKNOWN
    changed = copy.copy(value)
    changed[place[0]] = without(value[place[0]], place[1:])
    return changed


@pytest.mark.parametrize("stack", ["foundation", "prod", "turbo-stable"])
def test_no_rule_judges_any_single_value_that_is_not_known_yet(stack: str) -> None:
    seen = resources(stack, GOLDEN[stack]["resources"])
    tried: set[tuple[Any, ...]] = set()
    for index, resource in enumerate(seen):
        for place in places(resource.inputs):
            if (resource.kind, *place) in tried:
                continue
            tried.add((resource.kind, *place))
            changed = replace(resource, inputs=without(resource.inputs, place))
            found = [text for rule in RULES for text in rule.violations(changed)]
            plan = [*seen[:index], changed, *seen[index + 1 :]]
            found += [text for rule in STACK_RULES for _, text in rule.violations(plan)]
            assert found == [], (resource.kind, place)


@pytest.mark.parametrize("rule", [rule.name for rule in STACK_RULES])
def test_what_a_targeted_first_preview_does_not_create_is_not_judged(rule: str) -> None:
    """With `--target`, the CLI shows only the names of the other resources, and no rule sees their inputs."""
    plan = {
        key: {**entry, "inputs": {}} if key.startswith("kubernetes:") else entry
        for key, entry in GOLDEN["prod"]["resources"].items()
    }
    assert violations(rule, "prod", plan) == []


def test_the_rules_import_only_the_standard_library_and_tables() -> None:
    """The pack's environment has pulumi-policy, and nothing else that serving/ needs, such as pydantic."""
    script = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); import policies.registry"
    # Without the packages of this environment.
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_tpu_machine_of_the_table_is_judged() -> None:
    """Machines of the accelerator table, so that a new row is under the rules of TPU pools at once."""
    for row in ACCELERATORS.values():
        if row.machine_type is not None:
            plan = copy.deepcopy(GOLDEN["prod"]["resources"])
            put(POOL, "inputs.nodeConfig.machineType", row.machine_type)(plan)
            put(POOL, "inputs.placementPolicy", {"type": "COMPACT"})(plan)
            assert violations("no-placement-policy", "prod", plan) != []


def test_the_pack_names_its_own_environment() -> None:
    """The engine installs policies/requirements.txt; it must be the hashed list and nothing else."""
    pack = yaml.safe_load(Path(REPOSITORY / "policies" / "PulumiPolicy.yaml").read_text("utf-8"))
    assert pack["runtime"]["name"] == "python"
    requirements = (REPOSITORY / "policies" / "requirements.txt").read_text("utf-8")
    assert requirements.strip() == "-r ../requirements/policy.txt"
