"""docs/operations.md says what the plans say."""

import re

import pytest

from tests.inventory.golden import golden
from tests.inventory.recorder import stack_config
from tools.support import paths

TEXT = (paths.REPOSITORY / "docs" / "operations.md").read_text("utf-8")
ROW = re.compile(r"^\| (`.+`) \| (\d)[,;].* \| (\$[\d.,]+) \| (\$[\d.,]+) \|$", re.MULTILINE)
COSTS = {
    stack: (int(slices), hour, month)
    for names, slices, hour, month in ROW.findall(TEXT)
    for stack in re.findall(r"`([a-z-]+)`", names)
}


@pytest.mark.parametrize("stack", ["baseline", "dev", "peak", "prod", "staging", "turbo-stable"])
def test_the_table_of_costs_is_the_plans(stack: str) -> None:
    plan = golden(stack)
    first = re.match(r"(\$[\d.,]+) an hour, (\$[\d.,]+) a month", plan["outputs"]["cost"][0])
    assert first
    replicas = int(stack_config(stack).get("tpuserve:replicas", 1))
    assert COSTS[stack] == (replicas, *first.groups())


def test_the_beginning_leads_to_every_section() -> None:
    """Somebody in a hurry reads the table of runbooks only."""
    beginning, _, sections = TEXT.partition("\n## ")
    linked = set(re.findall(r"\(#([\w-]+)\)", beginning))
    assert [head for head, anchor in headings(f"## {sections}") if anchor not in linked] == ["The stacks"]


def headings(text: str) -> list[tuple[str, str]]:
    """Returns the headings of the second level with their anchors."""
    found = re.findall(r"^## (.+)$", text, re.MULTILINE)
    return [(head, re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-")) for head in found]


def test_a_cluster_that_exists_lists_the_pull_right_that_no_stack_grants() -> None:
    """The foundation grants its own account for nodes; the weights Job runs on nodes with another one."""
    resources = golden("foundation")["resources"]
    repository = resources["gcp:artifactregistry/repository:Repository::tpuserve-images-repository"]["inputs"]
    (grant,) = [
        entry["inputs"]
        for key, entry in resources.items()
        if key.startswith("gcp:artifactregistry/repositoryIamMember:RepositoryIamMember::")
    ]
    (section,) = re.findall(r"^## A cluster that exists\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert f"`{grant['role']}`" in section
    for name in (repository["repositoryId"], "tpuserve:image"):
        assert f"`{name}`" in section
