"""A checkpoint of the user reaches the server on every kind of target, and is compared before."""

import json

from config.selection import from_stack
from serving.models.catalog import model
from serving.models.checkpoint import expectation
from tests.inventory.recorder import REPOSITORY, Inventory, deployable, record, stack_config
from tests.inventory.test_inventory import inventory_of

REVISION = "0123456789abcdef0123456789abcdef01234567"


def expected(stack: str) -> str:
    return expectation(
        model("gemma-4-26b-a4b-it"), from_stack(stack, REPOSITORY).candidate.engine.max_model_len
    )


def planned(stack: str) -> Inventory:
    config = deployable(stack_config(stack))
    del config["tpuserve:model_revision"]
    config["tpuserve:model"] = json.dumps(
        {"architecture": "gemma-4-26b-a4b-it", "repository": "your-team/support", "revision": REVISION}
    )
    return record(stack, config, {"foundation": inventory_of("foundation").outputs})


def test_the_job_stages_it_and_the_server_reads_it() -> None:
    plan = planned("staging")
    [job] = plan.of_type("kubernetes:batch/v1:Job").values()
    command = job["inputs"]["spec"]["template"]["spec"]["containers"][0]["command"]
    given = dict(zip(command[3::2], command[4::2], strict=True))
    assert given["--repository"] == "your-team/support"
    assert given["--revision"] == REVISION
    assert given["--prefix"] == f"weights/{REVISION}/gemma-4-26b-a4b-it"
    assert given["--expect"] == expected("staging")
    [deployment] = plan.of_type("kubernetes:apps/v1:Deployment").values()
    assert f"only-dir=weights/{REVISION}" in json.dumps(deployment["inputs"])
    assert plan.outputs["release"] != inventory_of("staging").outputs["release"]


def test_a_tpu_vm_downloads_it_and_compares_it() -> None:
    plan = planned("dev")
    [template] = plan.of_type("gcp:compute/instanceTemplate:InstanceTemplate").values()
    script = template["inputs"]["metadata"]["startup-script"]
    assert f"readonly WEIGHTS=weights/{REVISION}/gemma-4-26b-a4b-it/\n" in script
    assert f"readonly CHECKPOINT='{expected('dev')}'\n" in script
    usual = inventory_of("dev").of_type("gcp:compute/instanceTemplate:InstanceTemplate")
    assert "readonly CHECKPOINT=''\n" in next(iter(usual.values()))["inputs"]["metadata"]["startup-script"]
