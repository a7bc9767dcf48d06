"""Bad configuration, one row a case: each gives its sentence, no traceback, before anything is declared."""

from typing import Any

import pytest
import yaml

from config.settings import Settings
from config.targets import LocalTarget
from stacks.plan import plan
from tests.inventory.recorder import REPOSITORY

GOOD: dict[str, Any] = {
    "target": {"kind": "local"},
    "model": "tiny-gemma4-moe",
    "accelerator": "local-v6e-4",
    "engine": {"max_model_len": 1024, "max_num_seqs": 8, "max_num_batched_tokens": 512},
}

BAD: list[tuple[dict[str, Any], str]] = [
    ({"targt": {}}, "targt is not a name here; the nearest is target; correct or remove it."),
    ({"target": {}}, "target.kind is not set and has no default; set it."),
    (
        {"target": {"kind": "gce"}},
        "target.kind is the text 'gce'; possible are local, foundation, gke, tpu-vm; write one of them.",
    ),
    (
        {"target": "local"},
        "target is the text 'local'; it must be a set of names and values; write it as YAML, not as text.",
    ),
    (
        {"target": {"kind": "local", "context": ""}},
        "target.context is empty; write a value or remove it.",
    ),
    (
        {"target": {"kind": "local", "kubecontext": "x"}},
        "target.kubecontext is not a name here; the nearest is context; correct or remove it.",
    ),
    (
        {"target": {"kind": "local", "run_as": "admin"}},
        "target.run_as is the text 'admin'; possible are user, root; write one of them.",
    ),
    (
        {
            "target": {
                "kind": "tpu-vm",
                "project": "acme-llm",
                "zone": "us-east5-b",
                "capacity": {"kind": "spot"},
                "run_as": "root",
            }
        },
        "target.run_as is not a name here; remove it.",
    ),
    ({"replicas": 0}, "replicas is 0; it must be at least 1; raise it."),
    ({"replicas": -2}, "replicas is -2; it must be at least 1; raise it."),
    (
        {"replicas": "two"},
        "replicas is the text 'two'; it must be a whole number; write a whole number.",
    ),
    ({"replicas": 1.5}, "replicas is 1.5; it must be a whole number; write a whole number."),
    ({"replicas": True}, "replicas is true; it must be a whole number; write a whole number."),
    ({"longest_request_seconds": 0}, "longest_request_seconds is 0; it must be at least 1; raise it."),
    (
        {"longest_request_seconds": 7200},
        "longest_request_seconds is 7,200; it must be at most 3,600; lower it.",
    ),
    (
        {"authentication": "open"},
        "authentication is the text 'open'; possible are api-key, none; write one of them.",
    ),
    *(
        (
            {"allowed_origins": ["https://a.example.com", origin]},
            f"allowed_origins: {origin!r} is not an origin; write it as a browser sends it, without a path, "
            "as in https://chat.example.com, or write '*' for every page.",
        )
        for origin in (
            "chat.example.com",
            "https://chat.example.com/",
            "https://Chat.example.com",
            "https://*.example.com",
            "https://chat.example.com:",
            "https://chat.example.com,https://b.example.com",
            "null",
            "",
        )
    ),
    *(
        ({"allowed_origins": [origin]}, f"allowed_origins: {origin!r} {sentence}")
        for origin, sentence in (
            (
                "https://chat.example.com:443",
                "has the port of https, which a browser does not send; leave :443 out.",
            ),
            ("http://x:80", "has the port of http, which a browser does not send; leave :80 out."),
            (
                "https://chat.example.com:99999",
                "has the port 99999, and the last port is 65535; write the port of the web page.",
            ),
            (
                "http://x:65536",
                "has the port 65536, and the last port is 65535; write the port of the web page.",
            ),
        )
    ),
    ({"image": ""}, "image is empty; write a value or remove it."),
    (
        {"engine": []},
        "engine is a list; it must be a set of names and values; write a set of names and values.",
    ),
    (
        {"engine": "x"},
        "engine is the text 'x'; it must be a set of names and values; write it as YAML, not as text.",
    ),
    ({"phase": 3}, "phase is 3; it must be text; write it in quotes."),
    ({"scenario": ["batch"]}, "scenario is a list; it must be text; write it in quotes."),
    ({"accelerator": None}, "accelerator is empty; it must be text; write it in quotes."),
    ({"model": 7}, "model is 7; it must be text; write it in quotes."),
    ({"api_key": "hunter2"}, "api_key is not a name here: a key does not belong in configuration"),
]
"""Changes to a good configuration, and the sentence that each must give."""

UNSERVABLE: list[tuple[dict[str, Any], str]] = [
    ({"phase": "tund"}, "phase 'tund' does not exist"),
    ({"scenario": "bach"}, "scenario 'bach' does not exist"),
    ({"model": "gemma-4-27b"}, "model 'gemma-4-27b'"),
    ({"accelerator": "v6e-5"}, "v6e-5"),
    ({"engine": {"max_len": 3}}, "engine.max_len is not a name here; the nearest is max_model_len"),
    ({"engine": {"max_model_len": -1}}, "engine.max_model_len is -1; it must be above 0 (tokens)"),
    ({"engine": {"max_num_seqs": 0}}, "engine.max_num_seqs is 0; it must be above 0"),
    ({"engine": {"max_model_len": "many"}}, "engine.max_model_len is the text 'many'"),
    ({"engine": {"gpu_memory_utilization": 1.5}}, "engine.gpu_memory_utilization is 1.5"),
    ({"engine": {"max_model_len": 8192}}, "8,192"),
    ({"engine": {"tensor_parallel_size": 8}}, "tensor_parallel_size"),
    ({"engine": {"kv_cache_dtype": "int4"}}, "engine.kv_cache_dtype is the text 'int4'"),
    (
        {"engine": {"extra_environment": {"VLLM_TPU_BUCKET_PADDING_GAP": "1"}}},
        "VLLM_TPU_BUCKET_PADDING_GAP has a field; set bucket_padding_gap instead",
    ),
    ({"engine": {"api_key": ""}}, "engine.api_key is not a name here: a key does not belong"),
]
"""Well-formed, but it could not serve: refused while planning."""


def test_the_good_one_is_good() -> None:
    assert Settings.parse(GOOD).target == LocalTarget(kind="local")
    assert plan(Settings.parse(GOOD), "image:1").release.name


@pytest.mark.parametrize(("change", "sentence"), BAD, ids=[str(change) for change, _ in BAD])
def test_what_cannot_be_asked(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        Settings.parse({**GOOD, **change})
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    "origin", ["https://chat.example.com", "http://localhost:3000", "https://x:80", "http://x:65535", "*"]
)
def test_an_origin_that_browsers_send_is_taken(origin: str) -> None:
    assert Settings.parse({**GOOD, "allowed_origins": [origin]}).allowed_origins == (origin,)


@pytest.mark.parametrize(("change", "sentence"), UNSERVABLE, ids=[str(change) for change, _ in UNSERVABLE])
def test_what_could_not_serve(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        plan(Settings.parse({**GOOD, **change}), "image:1")
    assert sentence in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_every_mistake_is_named_at_once() -> None:
    with pytest.raises(ValueError) as caught:
        Settings.parse({**GOOD, "replicas": 0, "targt": 1})
    assert len(str(caught.value).splitlines()) == 2


def test_the_project_file_declares_just_what_has_no_default() -> None:
    """The CLI demands a value for each declared key, so a key with a default must not stand there."""
    declared = yaml.safe_load((REPOSITORY / "Pulumi.yaml").read_text("utf-8"))["config"]
    required = {name for name, field in Settings.model_fields.items() if field.is_required()}
    assert set(declared) == required
    for name, entry in declared.items():
        assert set(entry) == {"type", "description"}, name


@pytest.mark.parametrize("file", sorted(REPOSITORY.glob("Pulumi.*.yaml")), ids=lambda file: file.name)
def test_every_stack_file_is_valid(file: Any) -> None:
    config = yaml.safe_load(file.read_text("utf-8"))["config"]
    Settings.parse({key.removeprefix("tpuserve:"): value for key, value in config.items()})
