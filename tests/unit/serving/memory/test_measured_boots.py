"""Every published boot beside the memory model: verdict, weights and KV tokens."""

from typing import Any

import pytest

from serving.compilation.candidate import Candidate
from serving.findings import findings
from serving.hardware.accelerators import accelerator
from serving.memory import kv_cache
from serving.memory.budget import budget
from serving.memory.measured_boots import BOOTS, MeasuredBoot
from serving.messages.units import GIB
from serving.models.catalog import model
from serving.models.spec import NotStated
from tests.unit.serving.strategies import GEMMA, V6E_4, engine


def booted(boot: MeasuredBoot) -> Candidate:
    """The engine of a boot."""
    images = {"image": 4} if boot.images else {}
    config = engine(
        tensor_parallel_size=boot.tensor_parallel,
        gpu_memory_utilization=boot.utilization,
        max_model_len=boot.max_model_len,
        max_num_seqs=boot.max_num_seqs,
        max_num_batched_tokens=boot.max_num_batched_tokens,
        limit_mm_per_prompt=images,
        disable_chunked_mm_input=boot.images or None,
        architecture_override=boot.path if boot.path == "Gemma4ForCausalLM" else None,
    )
    return Candidate(accelerator(boot.accelerator), model(boot.model), config)


@pytest.mark.parametrize("boot", BOOTS, ids=lambda boot: f"{boot.model} {boot.version} {boot.utilization}")
def test_published_boots(boot: MeasuredBoot) -> None:
    """Weights to the two decimals that the log has, KV tokens to 0.1 %, and the verdict."""
    candidate = booted(boot)
    assert candidate.model.weight_bytes / GIB == pytest.approx(boot.checkpoint_gib, abs=0.005)
    assert candidate.runtime.code_path == boot.path
    assert boot.programs in (None, candidate.runtime.programs.total)
    found = budget(candidate)
    assert found.pool.block_size == boot.block_size
    assert found.resident_bytes / GIB == pytest.approx(boot.resident_gib, abs=0.005)
    # By torchax the weights are known to a hundredth of a GiB, which may be a page.
    page_more = 0 if found.modeled else boot.block_size
    assert found.pool.tokens == pytest.approx(boot.kv_tokens, rel=0.001, abs=page_more)
    # What the log says was available is known to half a hundredth of a GiB in all.
    page = kv_cache.token_bytes(candidate.model, 16, boot.tensor_parallel)
    page *= boot.block_size * boot.tensor_parallel
    fewest = kv_cache.page_count(int((boot.available_gib - 0.005) * GIB), page)
    most = kv_cache.page_count(int((boot.available_gib + 0.005) * GIB), page)
    assert fewest <= boot.kv_tokens // boot.block_size <= most
    assert found.fits == (None if boot.path == "torchax" else not boot.ended_in)
    if not boot.ended_in:
        errors = {each.code for each in findings(candidate) if each.severity == "error"}
        assert not errors, errors
        return
    assert found.problem is not None
    assert found.problem.code == "programs-do-not-fit"
    words = {"structured_decode": "the boot's calls of structured decoding"}
    assert words[boot.ended_in] in found.problem.truth


def test_drafting_with_a_draft_model_is_refused_because_its_weights_are_not_counted() -> None:
    """A public boot of E2B with its assistant (tpu-vllm-v5e1-2b, 2026-09-29-mtpbf-v5e1) had 9.08 GiB in use,
    0.11 more than without, and 204,800 KV tokens. The engine's own weights would leave more."""
    fields: dict[str, Any] = {
        "tensor_parallel_size": 1,
        "gpu_memory_utilization": 0.8,
        "max_model_len": 2048,
        "max_num_seqs": 16,
        "max_num_batched_tokens": 512,
        "limit_mm_per_prompt": {},
    }
    v5e, e2b = accelerator("v5e-1"), model("gemma-4-e2b-it")
    with pytest.raises(ValueError, match="its weights and KV cache are not in the memory table"):
        engine(**fields, speculative={"method": "mtp", "num_speculative_tokens": 4})
    room = int(0.8 * v5e.hbm_bytes - 9.08 * GIB)
    pool = kv_cache.pool(e2b, bits=16, chips=1, block_size=128, max_model_len=2048, room=room)
    assert pool.tokens == pytest.approx(204_800, rel=0.001)
    assert budget(Candidate(v5e, e2b, engine(**fields))).pool.tokens > 1.02 * 204_800


@pytest.mark.parametrize("fields", [{"model_impl_type": "vllm"}, {"architecture_override": "Other"}])
def test_code_that_is_not_modeled_gets_no_verdict(fields: dict[str, object]) -> None:
    """Neither fits nor does not fit, even where nothing could."""
    found = budget(Candidate(accelerator("v6e-4"), model("gemma-4-31b-it"), engine(**fields)))
    assert (found.fits, found.problem, found.basis) == (None, None, "not modeled")
    codes = {each.code for each in findings(Candidate(V6E_4, GEMMA, engine(**fields)))}
    assert not codes & {"little-headroom", "weights-do-not-fit", "programs-do-not-fit"}
    assert codes & {"torchax", "architecture-fallback"}


def test_a_vision_tower_of_unknown_size_refuses_with_its_model() -> None:
    config = engine(architecture_override="Gemma4ForConditionalGeneration")
    with pytest.raises(NotStated, match=r"states the size of the vision tower of gemma-4-12b-it"):
        budget(Candidate(V6E_4, model("gemma-4-12b-it"), config))


@pytest.mark.parametrize("name", ["gemma-4-e2b-it", "gemma-4-e4b-it"])
def test_programs_that_are_never_called_do_not_decide(name: str) -> None:
    """Log-probabilities of 1,024 prompt tokens would take 2 GiB of one chip; 1.56 GiB are free at 0.95."""
    config = engine(tensor_parallel_size=1, gpu_memory_utilization=0.95)
    found = budget(Candidate(accelerator("v6e-1"), model(name), config))
    assert found.free_bytes < 2 * GIB
    assert found.problem is None
