"""Which changes copy weights again: a Job with a new name does."""

import json

import pytest

from agent import weights_job
from tests.inventory.recorder import Inventory, deployable, record, stack_config
from tests.inventory.test_inventory import inventory_of

COMMIT = "f" * 40
OWN = {"architecture": "gemma-4-26b-a4b-it", "repository": "your-team/support", "revision": COMMIT}
OTHER_IMAGE = f"vllm/vllm-tpu:v0.33.0@sha256:{'1' * 64}"


def planned(**changes: object) -> Inventory:
    """The plan of staging with these keys; None leaves a key out."""
    config = deployable(stack_config("staging"))
    for name, value in changes.items():
        config.pop(f"tpuserve:{name}", None)
        if value is not None:
            config[f"tpuserve:{name}"] = value if isinstance(value, str) else json.dumps(value)
    return record("staging", config, {"foundation": inventory_of("foundation").outputs})


def names(plan: Inventory) -> tuple[str, str]:
    """Names of the Job and of its script's ConfigMap, on the cluster."""
    [job] = plan.of_type("kubernetes:batch/v1:Job").values()
    maps = plan.of_type("kubernetes:core/v1:ConfigMap")
    [script] = [each for name, each in maps.items() if name.startswith("weights-script-")]
    assert job["ignoreChanges"] == ["spec"]
    mounted = job["inputs"]["spec"]["template"]["spec"]["volumes"][0]["configMap"]["name"]
    assert mounted == script["inputs"]["metadata"]["name"]
    return job["inputs"]["metadata"]["name"], mounted


def test_another_image_or_engine_copies_nothing() -> None:
    usual = names(inventory_of("staging"))
    assert names(planned(image=OTHER_IMAGE, engine={"max_num_seqs": 64})) == usual


def test_another_script_copies_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    job, script = names(inventory_of("staging"))
    files = weights_job.files()
    monkeypatch.setattr(weights_job, "files", lambda: {**files, "agent/__init__.py": "changed = True\n"})
    changed_job, changed_script = names(planned())
    assert changed_job == job and changed_script != script


def test_other_weights_or_other_demands_on_them_are_another_job() -> None:
    own: dict[str, object] = {"model": OWN, "model_revision": None}
    plans = [
        inventory_of("staging"),
        planned(model_revision=COMMIT),
        planned(model="gemma-4-e4b-it", model_revision=COMMIT),
        planned(**own),
        planned(**own, engine={"max_model_len": 4096}),
    ]
    jobs, scripts = zip(*map(names, plans), strict=True)
    assert len({*jobs}) == len(plans) and len({*scripts}) == 1
