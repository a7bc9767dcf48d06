"""The compile cache's name moves when programs do, and only then; proofs are found by it."""

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given

from serving.compilation import proofs
from serving.compilation.candidate import Candidate
from serving.compilation.fingerprint import Fingerprint, fingerprint, moved
from serving.compilation.proof import Proof
from serving.engine.config import EngineConfig
from tests.unit.serving.proved import program, proved
from tests.unit.serving.strategies import GEMMA, STAND_IN, TINY, V6E_4, engine, engines

IMAGE = "vllm/vllm-tpu@sha256:" + "a" * 64
DRAFTING = {"method": "ngram", "num_speculative_tokens": 3}


def of(config: EngineConfig, image: str = IMAGE) -> Fingerprint:
    return fingerprint(Candidate(V6E_4, GEMMA, config), image=image)


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"tensor_parallel_size": 2}, ("tensor_parallel_size",)),
        ({"enable_expert_parallel": True}, ("enable_expert_parallel",)),
        ({"gpu_memory_utilization": 0.91}, ("kv_cache_pages",)),
        ({"num_gpu_blocks_override": 7000}, ("kv_cache_pages",)),
        ({"kv_cache_dtype": "fp8"}, ("kv_cache_dtype",)),
        ({"block_size": 64}, ("block_size", "pages_per_request")),
        ({"max_model_len": 16_000}, ("pages_per_request",)),
        ({"max_model_len": 8192}, ("block_size", "pages_per_request")),
        ({"max_num_seqs": 128}, ("block_size", "pages_per_request", "max_num_seqs", "attention_buckets")),
        ({"max_num_batched_tokens": 8192}, ("token_buckets",)),
        ({"bucket_padding_gap": 512}, ("token_buckets",)),
        ({"compilation_sizes": (640,)}, ("token_buckets",)),
        ({"speculative": DRAFTING}, ("speculative", "async_scheduling")),
        ({"async_scheduling": False}, ("async_scheduling",)),
        ({"limit_mm_per_prompt": {}}, ("images",)),
        ({"vision_programs": {"token_budgets": (280,), "images_per_call": 1}}, ("vision_programs",)),
        ({"model_impl_type": "vllm"}, ("model_impl_type",)),
        ({"use_batched_rpa_kernel": True}, ("use_batched_rpa_kernel",)),
        ({"moe_requantize_weight_dtype": "float8_e4m3fn"}, ("moe_requantize",)),
        ({"sampling_microbatch_size": 32}, ("sampling_microbatch_size",)),
        ({"attn_bucketized_num_reqs": True}, ("attention_buckets",)),
        ({"cache_min_compile_seconds": 1.0}, ("cache_min_compile_seconds",)),
        ({"cache_min_compile_seconds": None}, ("cache_min_compile_seconds",)),
        ({"cache_min_entry_bytes": 1024}, ("cache_min_entry_bytes",)),
        ({"cache_min_entry_bytes": None}, ("cache_min_entry_bytes",)),
        ({"extra_environment": {"XLA_FLAGS": "--xla_x=1"}}, ("extra_environment",)),
        ({"extra_environment": {"LIBTPU_INIT_ARGS": "--y"}}, ("extra_environment",)),
    ],
)
def test_it_moves_with(fields: dict[str, object], names: tuple[str, ...]) -> None:
    before, after = of(engine()), of(engine(**fields))
    assert moved(before, after) == names
    assert before.digest != after.digest


@pytest.mark.parametrize(
    "fields",
    [
        # The same values said aloud.
        {"block_size": 32},
        {"dtype": "bfloat16"},
        {"kv_cache_dtype": "auto"},
        {"kv_cache_dtype": "bfloat16"},
        {"async_scheduling": True},
        {"bucket_padding_gap": 0},
        {"min_token_bucket": 16},
        {"model_impl_type": "auto"},
        {"enable_expert_parallel": False},
        # Within the last page of a request the block table keeps its width.
        {"max_model_len": 16_380},
        # A size that is a bucket already.
        {"compilation_sizes": (512,)},
        # Nothing that a program sees.
        {"limit_mm_per_prompt": {"image": 2}},
        {"enable_prefix_caching": False},
        {"safetensors_load_strategy": "prefetch"},
        {"load_format": "safetensors"},
        {"disable_chunked_mm_input": True},
        {"enable_log_requests": True},
        {"allowed_media_domains": ["images.example.com"]},
        {"reasoning_parser": "gemma4"},
        {"num_precompile_workers": 8},
        {"skip_jax_precompile": True},
        {"cache_min_compile_seconds": 0, "cache_min_entry_bytes": -1},
        {"logging_level": "DEBUG"},
        {"extra_environment": {"HF_HUB_DISABLE_XET": "1"}},
    ],
)
def test_it_stays_with(fields: dict[str, object]) -> None:
    assert moved(of(engine()), of(engine(**fields))) == ()
    assert of(engine()).digest == of(engine(**fields)).digest


def test_the_lookup_of_drafts_is_no_program() -> None:
    lookup = {**DRAFTING, "prompt_lookup_min": 2, "prompt_lookup_max": 4}
    assert moved(of(engine(speculative=DRAFTING)), of(engine(speculative=lookup))) == ()


def test_pinned_pages_hold_the_name_whatever_the_utilization() -> None:
    pinned = [engine(num_gpu_blocks_override=7000, gpu_memory_utilization=share) for share in (0.9, 0.92)]
    assert of(pinned[0]).digest == of(pinned[1]).digest


def test_what_is_left_out_of_a_cache_names_the_cache_and_not_the_graph() -> None:
    whole, few = of(engine()), of(engine(cache_min_compile_seconds=2.5, cache_min_entry_bytes=0))
    assert whole.graph_digest == few.graph_digest
    assert not {"cache_min_compile_seconds", "cache_min_entry_bytes"} & set(whole.fields)
    jax = [of(engine(cache_min_compile_seconds=seconds)) for seconds in (1, None)]
    assert jax[0].digest == jax[1].digest != few.digest


def test_plain_fp8_is_e4m3() -> None:
    assert moved(of(engine(kv_cache_dtype="fp8")), of(engine(kv_cache_dtype="fp8_e4m3"))) == ()
    assert moved(of(engine(kv_cache_dtype="fp8")), of(engine(kv_cache_dtype="fp8_e5m2"))) == (
        "kv_cache_dtype",
    )


def test_image_revision_and_slice() -> None:
    config = engine()
    here = of(config)
    assert moved(here, of(config, IMAGE.replace("a" * 64, "b" * 64))) == ("image",)
    newer = dataclasses.replace(GEMMA, revision="0" * 40)
    other = fingerprint(Candidate(V6E_4, newer, config), image=IMAGE)
    assert moved(here, other) == ("revision",)
    assert here.graph_digest == other.graph_digest == of(config, "another").graph_digest
    local = fingerprint(Candidate(STAND_IN, TINY, config), image=IMAGE)
    assert {"model", "accelerator"} <= set(moved(here, local))


@given(engines(), engines())
def test_same_name_exactly_when_nothing_moved(one: EngineConfig, two: EngineConfig) -> None:
    assert (of(one).digest == of(two).digest) == (moved(of(one), of(two)) == ())
    assert moved(of(one), of(two)) == tuple(sorted(moved(of(two), of(one)), key=list(of(one).fields).index))
    assert len(of(one).digest) == 16


# ---- proofs

PROGRAM = program("backbone", code_bytes=8, peak_bytes=14)


def write(folder: Path, name: str, proof: Proof) -> None:
    (folder / f"{name}.json").write_text(proof.model_dump_json(), encoding="utf-8")


def test_a_proof_is_found_by_the_graph(tmp_path: Path) -> None:
    print_ = of(engine())
    assert proofs.load(print_, tmp_path) is None
    larger = program("sample", code_bytes=8, argument_bytes=9, peak_bytes=6)
    proof = proved(PROGRAM, larger, graph=print_.graph_digest)
    write(tmp_path, print_.graph_digest, proof)
    found = proofs.load(of(engine(), "another image"), tmp_path)
    assert found == proof
    assert (proof.code_bytes, len(proof.programs)) == (16, 2)
    assert proofs.load(of(engine(max_num_seqs=8)), tmp_path) is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{}", r"is not a valid proof \(10 fields are wrong\): delete it, or write it again"),
        ("not json", "is not a valid proof"),
        (
            proved(PROGRAM, graph="f" * 16).model_dump_json(),
            "is of graph ffffffffffffffff and has 1 programs",
        ),
    ],
)
def test_a_proof_that_lies_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    print_ = of(engine())
    (tmp_path / f"{print_.graph_digest}.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=sentence):
        proofs.load(print_, tmp_path)
