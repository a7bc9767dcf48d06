"""The workflows: pinned actions, least permissions, who they are at Google, and what drifted."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.inventory.golden import golden
from tests.inventory.recorder import REPOSITORY
from tools import drift

WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"^[\w.-]+/[\w./-]+@[0-9a-f]{40}$")
GRANTED = {
    "check": {"contents": "read"},
    "deploy": {"contents": "write", "id-token": "write", "pull-requests": "write"},
    "release": {"contents": "write", "id-token": "write", "pull-requests": "write"},
    "up": {"contents": "read", "id-token": "write"},
    "preview": {"contents": "read", "id-token": "write", "pull-requests": "write"},
    "drift": {"contents": "read", "id-token": "write", "issues": "write"},
}
"""All that any job of a workflow may do."""
INSTRUCTIONS = (REPOSITORY / "docs" / "operations-github.md").read_text("utf-8")
BOUND = re.compile(r"for environment in ([a-z -]+); do\n.* (tpuserve-[a-z]+)@")
HOSTED_MINUTES = 360
"""GitHub ends a job on its own machines then (docs.github.com/en/actions/reference/limits)."""
SETTING_UP_MINUTES = 15


def read(file: Path) -> dict[str, Any]:
    return yaml.safe_load(file.read_text("utf-8"))


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_actions_are_pinned_by_commit(file: Path) -> None:
    used = [
        step["uses"] for job in read(file)["jobs"].values() for step in job.get("steps", []) if "uses" in step
    ]
    assert [action for action in used if not PINNED.match(action)] == []
    local = [job["uses"] for job in read(file)["jobs"].values() if "uses" in job]
    assert all(action.startswith("./.github/workflows/") for action in local)
    assert used or local


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_nothing_more_is_granted_than_is_needed(file: Path) -> None:
    workflow = read(file)
    granted: dict[str, str] = {}
    for job in workflow["jobs"].values():
        for scope, access in job.get("permissions", workflow["permissions"]).items():
            granted[scope] = max(access, granted.get(scope, "read"))
    assert granted == GRANTED[file.stem]
    text = file.read_text("utf-8")
    # Google takes GitHub's own token for the job: there is no key to keep, and none to lose.
    assert "secrets." not in text and "credentials_json" not in text
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_texts_of_others_are_never_part_of_a_script(file: Path) -> None:
    """An expression inside `run` is pasted before the shell sees it; variables are not."""
    for job in read(file)["jobs"].values():
        for step in job.get("steps", []):
            assert "${{" not in step.get("run", "") + step.get("with", {}).get("script", "")


def dispatched(name: str, field: str) -> list[str]:
    """The choices of one field of a workflow that is started by hand."""
    # YAML 1.1 reads the key `on` as true.
    document: dict[Any, Any] = read(REPOSITORY / ".github" / "workflows" / f"{name}.yml")
    return document[True]["workflow_dispatch"]["inputs"][field]["options"]


def jobs(name: str) -> dict[str, Any]:
    """The jobs of one workflow."""
    return read(REPOSITORY / ".github" / "workflows" / f"{name}.yml")["jobs"]


def test_whoever_is_somebody_at_google_has_an_environment_that_the_instructions_bind() -> None:
    """Only what may write is an environment of the deploying account; no branch's program is."""
    deployed = set(dispatched("up", "stack"))
    assert {job["with"]["stack"] for job in jobs("deploy").values()} <= deployed
    assert jobs("up")["up"]["environment"] == "${{ inputs.stack }}"
    bound = {account: set(names.split()) for names, account in BOUND.findall(INSTRUCTIONS)}
    ways = [jobs("preview")["preview"], jobs("drift")["drift"], jobs("release")["propose"]]
    reading = [job["environment"] for job in ways]
    assert bound == {"tpuserve-preview": set(reading), "tpuserve-deploy": deployed}
    # An approval would stop the morning's look; without one, only main's own program may look.
    assert len({*reading}) == 3
    kept = set(re.findall(r"`([a-z-]+)`", re.findall(r"^\| (.*) \| only `main` \|", INSTRUCTIONS, re.M)[0]))
    assert kept | {"prod"} == deployed | {*reading} - {"preview"}


def test_any_stack_can_be_deployed_by_hand() -> None:
    files = {path.name.split(".")[1] for path in REPOSITORY.glob("Pulumi.*.yaml")}
    assert set(dispatched("up", "stack")) == files - {"local"}


def test_a_rollback_sees_the_history_of_the_stack_file() -> None:
    [checkout] = [step for step in jobs("release")["propose"]["steps"] if "checkout@" in step.get("uses", "")]
    assert checkout["with"]["fetch-depth"] == 0


def test_prod_and_the_proposal_for_it_wait_for_what_they_need_and_no_more() -> None:
    """prod runs a release of its own file: a staging that fails must not keep it from a rollback."""
    needs = {name: job.get("needs") for name, job in jobs("deploy").items()}
    assert needs == {"foundation": None, "staging": "foundation", "propose": "staging", "prod": "foundation"}
    assert jobs("deploy")["propose"]["with"] == {"change": "promote", "stack": "prod", "from": "staging"}


def test_a_stack_has_one_run_at_a_time_and_waits_for_no_other_stack() -> None:
    """A group of the whole workflow would be held while prod waits for its approval."""
    assert "concurrency" not in read(REPOSITORY / ".github" / "workflows" / "deploy.yml")
    assert jobs("up")["up"]["concurrency"] == {"group": "up-${{ inputs.stack }}", "cancel-in-progress": False}


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_a_change_may_take_as_long_as_its_plan_waits(stack: str) -> None:
    """A run that is killed while it waits leaves its stack locked."""
    plan = golden(stack)
    waits = [
        int(made["timeouts"]["create"].removesuffix("s"))
        for name, made in plan["resources"].items()
        if name.split("::")[0] in ("kubernetes:batch/v1:Job", "kubernetes:apps/v1:Deployment")
    ]
    assert len(waits) == 2
    allowed = jobs("up")["up"]["timeout-minutes"]
    assert sum(waits) / 60 + SETTING_UP_MINUTES <= allowed <= HOSTED_MINUTES


POOL = "urn:pulumi:prod::tpuserve::tpuserve:gcp:TpuPool$gcp:container/nodePool:NodePool::slices"
SERVICE = "urn:pulumi:prod::tpuserve::tpuserve:kubernetes:Vllm$kubernetes:core/v1:Service::vllm-service"


def step(operation: str, urn: str, *paths: str) -> dict[str, Any]:
    """One step as the CLI writes it."""
    return {"op": operation, "urn": urn, "detailedDiff": {path: {"kind": "update"} for path in paths}}


DRIFTS: list[tuple[list[dict[str, Any]], str | None]] = [
    ([], None),
    ([step("same", POOL)], None),
    ([step("update", POOL, "nodeCount")], None),
    ([step("update", POOL, 'nodeConfig.resourceLabels["goog-gke-node-pool-provisioning-model"]')], None),
    ([step("update", POOL, "nodeCount", "management.autoRepair")], "`management.autoRepair` |"),
    ([step("update", POOL, 'nodeConfig.resourceLabels["team"]')], "resourceLabels"),
    ([step("create", POOL)], "| create | gcp:container/nodePool:NodePool | slices | all of it |"),
    ([step("update", SERVICE, 'metadata.annotations["cloud.google.com/neg-status"]')], None),
    ([step("update", SERVICE, "spec.selector.app")], "`spec.selector.app`"),
]


@pytest.mark.parametrize(("steps", "row"), DRIFTS)
def test_drift_is_reported_without_noise(steps: list[dict[str, Any]], row: str | None) -> None:
    text, found = drift.report({"steps": steps})
    assert found == (row is not None)
    if row is not None:
        assert row in text and "nodeCount" not in text
