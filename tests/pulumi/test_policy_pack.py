"""The real policy pack under the real CLI: its rule reports every mistake, and no rule reports a good
plan."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from policies.registry import RULES, STACK_RULES
from policies.resource import short
from tests import cli
from tests.pulumi.deployment import PACK
from tests.unit.policies.mistakes import MISTAKES, POOL, Plan
from tests.unit.policies.test_policies import GOLDEN
from tools import toolchain
from tools.fake_gcp.install import launcher
from tools.support import paths

VERSION = "0.0.1"
NAMES = {rule.name for rule in (*RULES, *STACK_RULES)}
WHOLE = {rule.name for rule in STACK_RULES}
JUDGED_TOGETHER = {
    *("Deployment", "Service", "Gateway", "PodDisruptionBudget", "NetworkPolicy"),
    *("InstanceTemplate", "InstanceGroupManager", "Bucket", "Cluster", "NodePool"),
}
"""Kinds that the stack rules inspect; the others only take time."""

MAIN = f"""
import json
from pathlib import Path

import pulumi


class Provider(pulumi.ProviderResource):
    pass


class Thing(pulumi.CustomResource):
    def __init__(self, token, name, props, opts):
        super().__init__(token, name, props, opts)


made = {{}}  # each provider is a process: plans share those that are the same
for prefix, plan in json.loads(Path("plans.json").read_text()).items():
    providers = {{}}
    for key, entry in plan.items():
        kind, name = key.split("::", 1)
        if kind.startswith("pulumi:providers:"):
            same = kind + json.dumps(entry.get("inputs"))
            if same not in made:
                options = pulumi.ResourceOptions(version="{VERSION}")
                made[same] = Provider(kind.split(":")[2], prefix + name, entry.get("inputs"), options)
            providers[name] = made[same]
    for key, entry in plan.items():
        kind, name = key.split("::", 1)
        if not kind.startswith(("pulumi:", "tpuserve:")):
            options = pulumi.ResourceOptions(
                provider=providers[entry["provider"]],
                version="{VERSION}",
                protect=entry.get("protect", False),
                ignore_changes=entry.get("ignoreChanges"),
            )
            Thing(kind, prefix + name, entry.get("inputs"), options)
"""


class Judge:
    """Project in stack `prod` whose resources are plans, each with a prefix to its names."""

    def __init__(self, folder: Path) -> None:
        toolchain.ensure("pulumi")
        self.folder = folder
        for package in ("gcp", "kubernetes"):
            plugin = (
                folder / "home" / "plugins" / f"resource-{package}-v{VERSION}" / f"pulumi-resource-{package}"
            )
            launcher(plugin, "tests.pulumi.agreeable")
        (folder / "backend").mkdir()
        runtime = {"name": "python", "options": {"virtualenv": ".venv", "toolchain": "pip"}}
        (folder / "Pulumi.yaml").write_text(yaml.safe_dump({"name": "judged", "runtime": runtime}), "utf-8")
        (folder / "__main__.py").write_text(MAIN, "utf-8")
        (folder / ".venv").symlink_to(paths.REPOSITORY / ".venv")
        self.pulumi("install", "--cwd", str(PACK))
        self.pulumi("stack", "init", "prod")

    def pulumi(self, *words: str) -> tuple[int, str]:
        """Run the CLI; return its exit code and its output."""
        # --event-log is available only with PULUMI_DEBUG_COMMANDS.
        environment = {**cli.apart(self.folder), "PULUMI_DEBUG_COMMANDS": "true"}
        return cli.run(["pulumi", *words, "--non-interactive", "--color=never"], self.folder, environment)

    def judged(self, plans: dict[str, Plan]) -> tuple[int, str, list[dict[str, Any]]]:
        """Returns exit code, output and policy violations of a preview of these plans."""
        (self.folder / "plans.json").write_text(json.dumps(plans), "utf-8")
        log = self.folder / "events.json"
        code, shown = self.pulumi("preview", "--policy-pack", str(PACK), "--event-log", str(log))
        events = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
        return code, shown, [event["policyEvent"] for event in events if "policyEvent" in event]


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    """Returns the project, with the pack installed."""
    return Judge(tmp_path_factory.mktemp("judged"))


def mistaken(index: int) -> Plan:
    """Returns what one mistake leaves wrong: the resource itself, or the whole plan for a rule over
    stacks."""
    rule, stack, change, _ = MISTAKES[index]
    good = GOLDEN[stack]["resources"]
    plan: Plan = copy.deepcopy(good)
    change(plan)
    providers = {key: entry for key, entry in plan.items() if key.startswith("pulumi:providers:")}
    if rule in WHOLE:
        for entry in plan.values():
            place = entry.get("inputs", {}).get("metadata", {})
            if isinstance(place, dict) and "namespace" in place:
                # Use a separate namespace: another plan's budget must not cover this one's server.
                place["namespace"] += f"-{index}"
        looked = {key: entry for key, entry in plan.items() if short(key.split("::")[0]) in JUDGED_TOGETHER}
        return {**providers, **looked}
    wrong = {key: entry for key, entry in plan.items() if entry != good.get(key)}
    if wrong.keys() <= providers.keys():
        wrong |= {key: entry for key, entry in plan.items() if key.startswith(POOL)}
    return {**providers, **wrong}


def test_every_mistake_is_reported_by_its_rule(judge: Judge) -> None:
    code, shown, found = judge.judged({f"m{index}-": mistaken(index) for index in range(len(MISTAKES))})
    assert code != 0
    missing = [
        (rule, sentence)
        for rule, _, _, sentence in MISTAKES
        if not any(event["policyName"] == rule and sentence in event["message"] for event in found)
    ]
    assert missing == [], shown[-4000:]
    assert {event["policyName"] for event in found} == NAMES
    assert {event["enforcementLevel"] for event in found} == {"mandatory"}
    for name in NAMES:
        assert f"[mandatory]  {name}" in shown


def test_good_plans_pass_every_rule(judge: Judge) -> None:
    """The plans together contain something for each rule: a foundation, a cluster, TPU VMs."""
    plans = {f"{stack}-": GOLDEN[stack]["resources"] for stack in ("foundation", "prod", "dev")}
    code, shown, found = judge.judged(plans)
    assert found == [] and code == 0, shown[-4000:]
    assert "tpuserve" in shown.partition("Policies:")[2], shown[-2000:]
