"""The text of a chat template reaches the server's command line on every kind of target."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from explain import compose_files
from tests.inventory.recorder import Inventory, deployable, record, stack_config
from tests.inventory.test_inventory import inventory_of

TEXT = "{% for message in messages %}{{ message.content }} costs $(HOME) $$5: 'a' \"b\"\n{% endfor %}"
FILE = "chat.jinja"


def planned(stack: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Inventory:
    """The plan of a stack with a template of this text, below the folder of its stack file."""
    (folder / FILE).write_text(TEXT)
    monkeypatch.setattr("stacks.load.FOLDER", folder)
    config = deployable(stack_config(stack))
    if stack == "local":
        config["tpuserve:image"] = "tpuserve.local/vllm-tpu:inventory"
    engine = json.loads(config.get("tpuserve:engine", "{}"))
    config["tpuserve:engine"] = json.dumps({**engine, "chat_template": FILE})
    references = {} if stack == "local" else {"foundation": inventory_of("foundation").outputs}
    return record(stack, config, references)


def template_of(argv: list[str]) -> str:
    return argv[argv.index("--chat-template") + 1]


def as_kubernetes_reads(word: str) -> str:
    """$$ is $, and a $ before anything else than a known variable stays."""
    return word.replace("$$", "$")


@pytest.mark.parametrize("stack", ["local", "staging"])
def test_a_pod_gets_the_text(stack: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(stack, tmp_path, monkeypatch)
    [deployment] = plan.of_type("kubernetes:apps/v1:Deployment").values()
    container = deployment["inputs"]["spec"]["template"]["spec"]["containers"][0]
    assert as_kubernetes_reads(template_of(container["command"])) == TEXT
    assert plan.outputs["release"] != inventory_of(stack).outputs["release"]


def test_a_tpu_vm_gets_the_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned("dev", tmp_path, monkeypatch)
    [template] = plan.of_type("gcp:compute/instanceTemplate:InstanceTemplate").values()
    files: dict[str, Any] = json.loads(template["inputs"]["metadata"]["tpuserve-files"])
    words = yaml.safe_load(files["compose.yaml"])["services"]["vllm"]["entrypoint"]
    # Compose reads $$ as $.
    assert template_of(words).replace("$$", "$") == TEXT


def test_a_compose_file_has_the_text(tmp_path: Path) -> None:
    config = yaml.safe_load((Path(__file__).parents[2] / "Pulumi.dev.yaml").read_text())
    config["config"]["tpuserve:engine"] = {"chat_template": FILE}
    (tmp_path / "Pulumi.dev.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / FILE).write_text(TEXT)
    words = yaml.safe_load(compose_files.files("dev", tmp_path)["compose.yaml"])["services"]["vllm"][
        "entrypoint"
    ]
    assert template_of(words).replace("$$", "$") == TEXT
