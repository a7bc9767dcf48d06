"""config/schema.json is current, accepts what the reader of stack files accepts, and refuses bad files."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from config import stack_text
from config.selection import from_stack
from tests.inventory.recorder import REPOSITORY
from tools.docs import stack_schema

SCHEMA = stack_schema.schema()
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)
STACK_FILES = sorted(REPOSITORY.glob("Pulumi.*.yaml"))

GOOD: Mapping[str, Any] = {
    "tpuserve:target": {
        "kind": "tpu-vm",
        "project": "acme-tpu",
        "zone": "us-east5-b",
        "capacity": {"kind": "flex-start", "max_run_hours": 24},
        "clients": ["10.0.0.0/8"],
        "keep_data": False,
    },
    "tpuserve:model_revision": "4d7ae4984b7db7de8f8457170b3f1a419ee76d52",
    "tpuserve:image": f"vllm/vllm-tpu:v0.32.0@sha256:{'ab' * 32}",
    "tpuserve:engine": {"max_model_len": 8192, "extra_environment": {"JAX_LOG_COMPILES": "1"}},
}
TARGET = GOOD["tpuserve:target"]
OWN_MODEL = {
    "architecture": "gemma-4-26b-a4b-it",
    "repository": "acme/support",
    "revision": "4d7ae4984b7db7de8f8457170b3f1a419ee76d52",
}

ACCEPTED: list[Mapping[str, Any]] = [
    {},
    {"tpuserve:replicas": 2, "tpuserve:longest_request_seconds": 300, "tpuserve:authentication": "none"},
    {"tpuserve:replicas": "2"},
    {"tpuserve:engine": '{"max_model_len": 8192}'},
    {"tpuserve:scenario": None},
    {"tpuserve:scenario": "batch"},
    {"tpuserve:engine": {"kv_cache_dtype": None, "compilation_sizes": [16, 32]}},
    {"gcp:project": "acme-tpu"},
    {"tpuserve:model": OWN_MODEL, "tpuserve:model_revision": None},
]
"""Changes to the good file after which it is still good."""

REFUSED: list[Mapping[str, Any]] = [
    {"tpuserve:modell": "gemma-4-e4b-it"},
    {"phase": "tuned"},
    {"tpuserve:target": None},
    {"tpuserve:target": "tpu-vm"},
    {"tpuserve:target": {**TARGET, "kind": "gce"}},
    {"tpuserve:target": {**TARGET, "zoen": "us-east5-b"}},
    {"tpuserve:target": {**TARGET, "zone": "us-east5"}},
    {"tpuserve:target": {**TARGET, "project": "Acme"}},
    {"tpuserve:target": {**TARGET, "clients": "10.0.0.0/8"}},
    {"tpuserve:target": {**TARGET, "capacity": {"kind": "flex-start", "max_run_hours": 200}}},
    {"tpuserve:target": {**TARGET, "capacity": {"kind": "spot", "max_run_hours": 24}}},
    {"tpuserve:target": {**TARGET, "capacity": {"kind": "reservation"}}},
    {"tpuserve:target": {**TARGET, "endpoint": {"hostname": "tpuserve"}}},
    {
        "tpuserve:target": {
            "kind": "gke",
            "project": "acme-tpu",
            "zone": "us-east5-b",
            "capacity": {"kind": "spot"},
            "cluster": {"release_channel": "STABLE"},
        }
    },
    {"tpuserve:target": {"kind": "foundation", "project": "acme-tpu", "region": "us-east5"}},
    {
        "tpuserve:target": {
            "kind": "foundation",
            "project": "acme-tpu",
            "region": "us-east5",
            "environments": {"Prod": "10.64.0.0/18"},
        }
    },
    {"tpuserve:model": "gemma-4-27b"},
    {"tpuserve:model": {**OWN_MODEL, "architecture": "gemma-4-27b"}, "tpuserve:model_revision": None},
    {"tpuserve:model": {**OWN_MODEL, "revision": "main"}, "tpuserve:model_revision": None},
    {"tpuserve:model": {**OWN_MODEL, "weight_bytes": 1}, "tpuserve:model_revision": None},
    {"tpuserve:model": {"architecture": "gemma-4-26b-a4b-it"}, "tpuserve:model_revision": None},
    {"tpuserve:model_revision": "main"},
    {"tpuserve:accelerator": "v6e-5"},
    {"tpuserve:accelerator": None},
    {"tpuserve:phase": "tund"},
    {"tpuserve:phase": 3},
    {"tpuserve:scenario": ["batch"]},
    {"tpuserve:image": ""},
    {"tpuserve:image": {"secure": "v1:djE6TG9uZw=="}},
    {"tpuserve:replicas": 0},
    {"tpuserve:replicas": 1.5},
    {"tpuserve:replicas": True},
    {"tpuserve:replicas": "two"},
    {"tpuserve:longest_request_seconds": 7200},
    {"tpuserve:authentication": "api_key"},
    {"tpuserve:api_key": "hunter2"},
    {"tpuserve:engine": []},
    {"tpuserve:engine": "x"},
    {"tpuserve:engine": {"max_len": 3}},
    {"tpuserve:engine": {"max_model_len": 0}},
    {"tpuserve:engine": {"max_model_len": "many"}},
    {"tpuserve:engine": {"gpu_memory_utilization": 1.5}},
    {"tpuserve:engine": {"kv_cache_dtype": "int4"}},
    {"tpuserve:engine": {"compilation_sizes": [0]}},
    {"tpuserve:engine": {"speculative": {"method": "eagle", "num_speculative_tokens": 3}}},
    {"tpuserve:engine": {"extra_environment": {"JAX_LOG_COMPILES": 1}}},
]
"""Changes to the good file, each of which the schema and the reader refuse."""


def problems(content: Any) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(content)]


def changed(change: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the content of the good file with `change`; a key of `target` that is None is left out."""
    config = {**GOOD, **change}
    if config["tpuserve:target"] is None:
        del config["tpuserve:target"]
    return {"config": config}


def read(content: object, folder: Path) -> None:
    """Reads `content` as a stack file does. Raises ValueError for a bad one."""
    (folder / "Pulumi.mine.yaml").write_text(yaml.safe_dump(content), "utf-8")
    from_stack("mine", folder)


def test_the_schema_is_current() -> None:
    file = REPOSITORY / "config" / "schema.json"
    assert file.read_text("utf-8") == stack_schema.document(), (
        "config/schema.json is stale: run `python -m tools.docs.stack_schema > config/schema.json`."
    )


def test_the_schema_is_one_of_draft_7() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("file", STACK_FILES, ids=lambda file: file.name)
def test_every_stack_file_names_the_schema_and_follows_it(file: Path) -> None:
    text = file.read_text("utf-8")
    assert text.splitlines()[0] == "# yaml-language-server: $schema=config/schema.json"
    assert problems(stack_text.yaml_value(text)) == []


@pytest.mark.parametrize("change", ACCEPTED, ids=str)
def test_what_the_reader_accepts_is_accepted(change: Mapping[str, Any], tmp_path: Path) -> None:
    read(changed(change), tmp_path)
    assert problems(changed(change)) == []


@pytest.mark.parametrize("change", REFUSED, ids=str)
def test_a_bad_file_is_refused_by_schema_and_reader(change: Mapping[str, Any], tmp_path: Path) -> None:
    assert problems(changed(change))
    if "phase" not in change:  # Pulumi refuses a key without a namespace; the reader ignores it.
        with pytest.raises(ValueError):
            read(changed(change), tmp_path)


@pytest.mark.parametrize("content", [{}, {"config": None}, {"config": []}, [], "config"], ids=str)
def test_a_file_without_configuration_is_refused(content: object) -> None:
    assert problems(content)


@pytest.mark.parametrize("key", ["encryptionsalt", "secretsprovider", "encryptedkey"])
def test_keys_that_pulumi_writes_are_accepted(key: str) -> None:
    assert problems({**changed({}), key: "v1:djE6TG9uZw=="}) == []


def objects(part: object) -> Iterator[dict[str, Any]]:
    """Yields every part of a schema that has properties."""
    if isinstance(part, dict):
        if isinstance(part.get("properties"), dict):
            yield part
        for inner in part.values():
            yield from objects(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from objects(inner)


def test_no_object_of_a_stack_takes_unknown_names() -> None:
    closed = [*objects(SCHEMA["definitions"]), *objects(SCHEMA["properties"]["config"])]
    assert len(closed) > 15
    assert [part for part in closed if part.get("additionalProperties") is not False] == []
