"""Work of a step against the compiler's own counts in the committed proofs, and against counts by hand."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.selection import from_phase
from planner.attention_kernel import Work, decode, decode_block, layers, prefill
from planner.step_work import VISION_PROGRAM, Piece, Vision, padded_size, shape, share_hit
from serving.compilation import proofs
from serving.models.catalog import MODELS
from serving.models.spec import Experts

TUNED = from_phase("tuned", phase="tuned").candidate
E2B = MODELS["gemma-4-e2b-it"]
MOE = MODELS["gemma-4-26b-a4b-it"]


@pytest.mark.parametrize("phase", ["tuned", "peak", "baseline"])
def test_arithmetic_of_a_step_is_the_compilers(phase: str) -> None:
    """The compiler counts the products of the backbone; of the attention kernel, what its authors declare."""
    candidate = proofs.with_proof(from_phase(phase, phase=phase).candidate)
    assert candidate.proof is not None
    shape_ = shape(candidate)
    for program in candidate.proof.programs:
        if program.kind == "backbone" and "num_tokens=16 " not in program.shape:
            tokens = int(program.shape.split()[0].removeprefix("num_tokens="))
            work = shape_.work([Piece(tokens, 0)])
            logits = shape_.request_buckets[0] * shape_.logits_bytes
            assert work.matrices.flops - logits == pytest.approx(program.flops, rel=0.15), program.shape


def test_sixteen_tokens_of_the_26b_read_two_thirds_of_its_experts() -> None:
    assert share_hit(Experts(count=128, per_token=8, intermediate=704), 16) == pytest.approx(0.644, abs=0.001)
    assert share_hit(None, 16) == 0


@given(st.integers(1, 20_000))
def test_a_step_is_padded_to_the_smallest_bucket_that_holds_it(size: int) -> None:
    buckets = (16, 32, 4096)
    padded = padded_size(buckets, size)
    assert padded in buckets and (padded >= size or padded == 4096)
    assert not any(size <= bucket < padded for bucket in buckets)


def test_a_decoding_request_computes_a_whole_block_whatever_its_length() -> None:
    sliding, full = layers(E2B, 16, 1)
    assert decode_block(sliding, 32_768, 64) == 16_384
    assert decode_block(full, 32_768, 64) == 8192
    assert decode(sliding, 10, 32_768, 64).flops == decode(sliding, 10_000, 32_768, 64).flops
    assert decode(full, 8192, 32_768, 64).flops == 2 * decode(full, 8191, 32_768, 64).flops


def test_a_short_max_model_len_makes_the_block_short() -> None:
    sliding, _ = layers(MOE, 16, 4)
    assert decode_block(sliding, 2048, 128) == 2048


def test_a_window_ends_what_a_decode_reads_only_at_a_block() -> None:
    sliding, full = layers(E2B, 16, 1)
    assert decode(sliding, 16_000, 32_768, 64).bytes == 28 * 16_001 * 1024
    assert decode(sliding, 17_000, 32_768, 64).bytes == 28 * (17_001 - 16_384) * 1024
    assert decode(full, 17_000, 32_768, 64).bytes == 7 * 17_001 * 2048


def test_prefill_arithmetic_is_at_least_what_its_window_needs() -> None:
    sliding, full = layers(E2B, 16, 1)
    causal = 4 * 7 * 8 * 512 * (4096 * 4097 / 2)
    assert causal < prefill(full, 4096, 0).flops < 1.3 * causal
    windowed = 4 * 28 * 8 * 256 * 4096 * 512
    assert 2 * windowed < prefill(sliding, 4096, 100_000).flops < 4 * windowed


REFUSED = [
    ({"speculative": {"method": "ngram", "num_speculative_tokens": 3}}, "engine.speculative"),
    ({"use_batched_rpa_kernel": True, "block_size": 256}, "engine.use_batched_rpa_kernel"),
    ({"enable_expert_parallel": True}, "engine.enable_expert_parallel"),
    ({"model_impl_type": "vllm"}, "through torchax"),
    ({"qwix_rules": [{"module_path": ".*", "weight_qtype": "int8"}]}, "engine.qwix_rules"),
    ({"extra_flags": {"renderer_num_workers": 4}}, "engine.extra_flags.renderer_num_workers"),
]


@pytest.mark.parametrize(("fields", "word"), REFUSED)
def test_what_is_not_modeled_is_refused(fields: dict[str, object], word: str) -> None:
    candidate = from_phase("tuned", phase="tuned", engine=fields).candidate
    with pytest.raises(ValueError) as refusal:
        shape(candidate)
    assert word in str(refusal.value) and str(refusal.value).endswith(".")


def test_the_stand_in_has_no_speed() -> None:
    candidate = from_phase("tuned", phase="tuned", accelerator_name="local-v6e-4").candidate
    with pytest.raises(ValueError, match="choose v6e-1, v6e-4 or v6e-8"):
        shape(candidate)


def test_an_image_takes_the_call_that_the_compiler_counted() -> None:
    proved = proofs.with_proof(TUNED)
    assert proved.proof is not None
    (program,) = (each for each in proved.proof.programs if each.kind == VISION_PROGRAM)
    work = shape(proved).work([Piece(300, 0, images=1), Piece(600, 0, images=2)])
    assert (work.images.flops, work.images.bytes) == (3 * program.flops, 3 * program.hbm_bytes)
    assert shape(proved).work([Piece(300, 0)]).images == Work(0, 0)


@pytest.mark.parametrize(
    ("images_per_call", "images", "calls"),
    [(1, 3, 3 * [280]), (2, 3, [560, 280]), (2, 4, [560, 560]), (8, 7, [1120, 1120]), (8, 5, [1120, 280])],
)
def test_images_of_a_step_share_calls(images_per_call: int, images: int, calls: list[int]) -> None:
    programs = tuple((tokens, Work(tokens, 10 * tokens)) for tokens in (280, 560, 1120))
    vision = Vision(programs, tokens=280, images_per_call=images_per_call)
    assert vision.work(images) == Work(sum(calls), 10 * sum(calls))


def test_without_a_proof_there_is_no_work_of_images() -> None:
    assert shape(TUNED).vision is None
    with pytest.raises(ValueError, match="the shape has no vision program"):
        shape(TUNED).work([Piece(300, 0, images=1)])


def test_collectives_grow_with_the_chips() -> None:
    assert shape(TUNED).exchanged_token_bytes == 2 * 30 * 2816 * 2 * 2 * 3 / 4
    one = replace(TUNED, engine=TUNED.engine.model_copy(update={"tensor_parallel_size": 1}))
    assert shape(one).exchanged_token_bytes == 0
