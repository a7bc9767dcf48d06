"""The server that a load test finds in a stack's pods."""

import pytest

from load_test.server import ready_server, sidecar_settings
from tests.unit.load_test.pods import GKE_MODELS, KEY, pod, settings_map


def test_a_local_server_is_read_from_its_pod() -> None:
    server = ready_server([pod(flags=("--max-num-queued-reqs", "64"))], "local")
    assert (server.release, server.model, server.model_folder) == ("ab12cd34", "tiny", "/models/tiny")
    assert (server.address, server.program, server.from_bucket) == ("10.200.0.7", "vllm", False)
    assert server.limits.max_model_len == 1024 and server.limits.max_num_seqs == 8
    assert server.limits.max_num_queued_reqs == 64 and server.limits.max_num_queued_tokens is None
    assert server.api_key == KEY and server.settings_map == "vllm-sidecar-1234"
    assert server.storage_environment == {"STORAGE_EMULATOR_HOST": "http://10.200.0.1:4443"}


def test_a_server_on_gke_lends_its_models_without_their_memory() -> None:
    server = ready_server([pod(models=GKE_MODELS, key=None)], "prod")
    assert server.from_bucket and server.api_key is None
    options = server.models["csi"]["volumeAttributes"]["mountOptions"]
    assert options == "implicit-dirs,uid=1000,only-dir=weights/4d7a"


def test_the_first_ready_server_is_chosen() -> None:
    leaving = pod("vllm-a")
    leaving["metadata"]["deletionTimestamp"] = "2026-11-29T10:00:00Z"
    other = pod("vllm-c")
    other["status"]["podIP"] = "10.200.0.9"
    assert ready_server([pod("vllm-b", ready="False"), leaving, other], "local").address == "10.200.0.9"


def test_a_stack_without_a_ready_server_is_refused() -> None:
    with pytest.raises(ValueError) as refusal:
        ready_server([pod(ready="False")], "staging")
    assert str(refusal.value) == (
        "No server of staging is ready (1 pods): run `pulumi up` of the stack, or wait for it."
    )


def test_a_server_of_an_earlier_version_is_refused() -> None:
    with pytest.raises(ValueError) as refusal:
        ready_server([pod(sidecar=False)], "staging")
    assert str(refusal.value) == (
        "The server of staging has no sidecar, which knows where results are kept: run `pulumi up` of the "
        "stack with this version."
    )


def test_the_ladder_of_acceptance_and_the_bucket_are_those_of_the_sidecar() -> None:
    store = {"bucket": "my-project-tpuserve", "baseline": "baselines/v6e-4/tiny.json", "publish": True}
    found = sidecar_settings(settings_map(store))
    assert (found.bucket, found.baseline) == ("my-project-tpuserve", "baselines/v6e-4/tiny.json")
    assert found.acceptance.name == "gate" and found.acceptance.output_tokens == 32
    assert [(cell.concurrency, cell.prompt_tokens) for cell in found.acceptance.cells] == [(1, 512), (4, 512)]
    without = sidecar_settings(settings_map(None))
    assert (without.bucket, without.baseline) == (None, None)
