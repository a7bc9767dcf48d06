"""The gcp SDK itself on the fake cloud: a program as people write it."""

import json
from pathlib import Path

import pytest

from tests.pulumi.program import Program
from tools import toolchain

MAIN = """
import pulumi
import pulumi_gcp as gcp

labels = {"team": "serving"}
provider = gcp.Provider("google", project="acme-tpu-prod", region="us-east5", default_labels=labels)
options = pulumi.ResourceOptions(provider=provider)
bucket = gcp.storage.Bucket(
    "artifacts",
    location="US-EAST5",
    uniform_bucket_level_access=True,
    lifecycle_rules=[{"action": {"type": "Delete"}, "condition": {"num_newer_versions": 3}}],
    opts=options,
)
invoking = pulumi.InvokeOptions(provider=provider)
project = gcp.organizations.get_project(project_id="acme-tpu-prod", opts=invoking)
pulumi.export("name", bucket.name)
pulumi.export("url", bucket.url)
pulumi.export("labels", bucket.effective_labels.apply(lambda labels: sorted(labels)))
pulumi.export("number", project.number)
"""


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Returns a project whose program is MAIN."""
    toolchain.ensure("pulumi")
    made = Program(tmp_path)
    (tmp_path / "program" / "__main__.py").write_text(MAIN)
    return made


def test_the_sdk(program: Program) -> None:
    program.up()
    outputs = json.loads(program.good("stack", "output", "--json", "--show-secrets"))
    # The provider names it: the resource's name and seven digits.
    assert outputs["name"].startswith("artifacts-") and len(outputs["name"]) == len("artifacts-") + 7
    assert outputs["url"] == f"gs://{outputs['name']}"
    assert outputs["labels"] == ["goog-pulumi-provisioned", "team"]
    assert len(outputs["number"]) == 12
    program.good("up", "--yes", "--skip-preview", "--expect-no-changes")

    main = program.folder / "program" / "__main__.py"
    main.write_text(MAIN.replace('"num_newer_versions"', '"num_newr_versions"'))
    assert "has no input 'num_newr_versions'; the nearest that exists is" in program.bad("preview")
