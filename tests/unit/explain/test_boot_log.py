"""Real boots of the local server, line by line against the predictions, and the reader's own limits.

The logs in boot_logs/ are of vllm-tpu 0.32.0 on the CPU backend, cut to the lines that the reader looks at;
process ids and paths are replaced.
"""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from explain import boot_log
from explain.boot_log_check import compare, disagreements, render
from serving.compilation.candidate import Candidate
from serving.hardware.accelerators import accelerator
from serving.models.catalog import model
from tests.unit.serving.strategies import GEMMA, STAND_IN, TINY, V6E_4, engine

LOGS = Path(__file__).with_name("boot_logs")

SMALL: dict[str, Any] = {
    "max_model_len": 1024,
    "max_num_seqs": 8,
    "max_num_batched_tokens": 512,
    "gpu_memory_utilization": 0.92,
    "limit_mm_per_prompt": {"image": 1},
}
BOOTS: dict[str, tuple[int, dict[str, Any]]] = {
    # name: simulated HBM of a chip in MiB, the engine
    "doubling-fp8": (128, {**SMALL, "kv_cache_dtype": "fp8"}),
    "doubling-bf16": (128, SMALL),
    "text-256-tokens": (
        128,
        {
            **SMALL,
            "max_model_len": 256,
            "max_num_batched_tokens": 128,
            "gpu_memory_utilization": 0.9,
            "limit_mm_per_prompt": {},
        },
    ),
    "ngram-gap32": (
        128,
        {
            **SMALL,
            "max_num_seqs": 16,
            "max_num_batched_tokens": 128,
            "gpu_memory_utilization": 0.79,
            "kv_cache_dtype": "fp8",
            "block_size": 32,
            "speculative": {"method": "ngram", "num_speculative_tokens": 3},
            "bucket_padding_gap": 32,
            "limit_mm_per_prompt": {},
        },
    ),
    "gap16-fp8-block32": (
        64,
        {**SMALL, "kv_cache_dtype": "fp8", "block_size": 32, "bucket_padding_gap": 16},
    ),
}


def read(name: str) -> str:
    return (LOGS / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", BOOTS)
def test_prediction_and_log_agree_in_every_line(name: str) -> None:
    mebibytes, fields = BOOTS[name]
    slice_ = dataclasses.replace(STAND_IN, hbm_bytes_per_chip=mebibytes * 2**20)
    lines = compare(boot_log.parse(read(name)), Candidate(slice_, TINY, engine(**fields)))
    assert disagreements(lines) == ()
    exact = {line.name: line for line in lines}
    for line in ("token buckets", "request buckets", "programs", "block size", "KV pages", "KV tokens"):
        assert exact[line].agrees, line
        assert exact[line].predicted == exact[line].measured, line


def test_what_the_reader_finds() -> None:
    found = boot_log.parse(read("doubling-fp8"))
    assert found.version == "0.32.0"
    assert found.tokens == (16, 32, 64, 128, 256, 512)
    assert (found.requests, found.attention, found.logits) == ((8,), (8,), ())
    assert sum(found.programs.values()) == 57
    assert found.programs["backbone with embeds"] == 6
    assert (found.resident_gib, found.limit_gib, found.used_gib, found.available_gib) == (
        0.01,
        0.5,
        0.05,
        0.41,
    )
    assert (found.pages, found.block_size, found.kv_tokens) == (1126, 64, 72_064)
    assert (found.max_model_len, found.concurrency) == (1024, 70.38)
    assert (found.weights_seconds, found.engine_seconds, found.engine_compile_seconds) == (6.82, 94.44, 86.3)
    assert found.warm_up_seconds == pytest.approx(79.31)
    assert (found.ready, found.ready_seconds) == (True, 194)


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"kv_cache_dtype": "bfloat16", "block_size": 32}, {"block size", "KV pages"}),
        ({"max_num_batched_tokens": 256}, {"token buckets", "programs: backbone", "programs"}),
        ({"async_scheduling": False}, {"programs: _substitute_placeholder_token_fn", "programs"}),
        ({"gpu_memory_utilization": 0.8}, {"KV pages", "KV tokens"}),
    ],
)
def test_another_engine_than_the_one_that_booted_shows(fields: dict[str, Any], names: set[str]) -> None:
    config = engine(**{**BOOTS["doubling-fp8"][1], **fields})
    slice_ = dataclasses.replace(STAND_IN, hbm_bytes_per_chip=128 * 2**20)
    differing = {
        line.name
        for line in disagreements(
            compare(boot_log.parse(read("doubling-fp8")), Candidate(slice_, TINY, config))
        )
    }
    assert names <= differing


def test_the_table_names_each_difference() -> None:
    log = boot_log.parse(read("doubling-fp8"))
    table = render(compare(log, Candidate(V6E_4, GEMMA, engine())))
    first, *rest = table.splitlines()
    assert first.split() == ["predicted", "measured"]
    assert any(line.startswith("KV tokens") and line.endswith("DIFFERS") for line in rest)
    assert all(len(line.rstrip()) == len(line) for line in rest)


def test_pages_that_rounding_hides_are_explained() -> None:
    """A log has two decimals of a GiB: a page more or less than predicted is no disagreement."""
    mebibytes, fields = BOOTS["doubling-fp8"]
    slice_ = dataclasses.replace(STAND_IN, hbm_bytes_per_chip=mebibytes * 2**20)
    log = dataclasses.replace(boot_log.parse(read("doubling-fp8")), pages=1127)
    line = next(
        line for line in compare(log, Candidate(slice_, TINY, engine(**fields))) if line.name == "KV pages"
    )
    assert line.agrees
    assert "decimals of a GiB hide" in line.note


@pytest.mark.parametrize(
    ("first", "last", "seconds"),
    [
        ("12-31 23:58:30", "01-01 00:01:00", 150),
        ("12-30 10:00:00", "12-30 10:02:30", 150),
        ("02-28 23:59:00", "02-29 00:01:30", 150),
    ],
)
def test_a_boot_may_last_into_the_next_year(first: str, last: str, seconds: int) -> None:
    text = (
        f"INFO {first} [x.py:1] Precompile worker0 sample --> {{'num_reqs': 8}}\n"
        f"INFO {last} [x.py:1] Application startup complete.\n"
    )
    assert boot_log.parse(text).ready_seconds == seconds


def test_a_boot_that_did_not_finish() -> None:
    whole = read("doubling-fp8")
    cut = boot_log.parse(whole[: whole.index("init engine")])
    assert (cut.ready, cut.ready_seconds, cut.engine_seconds) == (False, None, None)
    assert cut.kv_tokens == 72_064


def test_older_wording_of_the_cache_line() -> None:
    """0.26 said GPU, and the concurrency on a line of its own."""
    text = (
        "INFO 08-11 02:17:22 [tpu_worker.py:557] Memory statistics | total_hbm_limit_gb=31.24GiB | "
        "total_hbm_limit_cap_gb=28.74GiB | total_hbm_used_gb=8.97GiB | total_hbm_avail_gb=19.77GiB\n"
        "INFO 08-11 02:17:22 [kv_cache_utils.py:2235] GPU KV cache size: 1,151,744 tokens\n"
        "INFO 08-11 02:17:22 [x.py:2236] Maximum concurrency for 32,768 tokens per request: 35.15x\n"
    )
    found = boot_log.parse(text)
    assert (found.kv_tokens, found.max_model_len, found.concurrency) == (1_151_744, 32_768, 35.15)
    assert (found.limit_gib, found.available_gib, found.tokens) == (31.24, 19.77, ())


OLD_SIZES = """\
INFO 08-11 02:18:16 [compilation_manager.py:137] Precompile worker0 backbone --> {'num_tokens': 16, \
'num_reqs': 256, 'shared_attention_metadata': SharedAttentionMetadata(input_positions=Array([1, 1, 1, \
1, 1, 1, \
1, 1, 1, 1, 1, 1, 1, 1, 1, 1], dtype=int32), seq_lens=Array([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, \
1, 1, 1, 1, 1, 1,
INFO 08-11 02:18:16 [compilation_manager.py:137]        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, \
1, 1, \
1, 1, 1], dtype=int32), request_distribution=Array([0, 0, 0], dtype=int32), mamba_state_indices=None, \
padded_num_reqs=256)}
INFO 08-11 02:18:16 [compilation_manager.py:160] AOT lower skipped for worker0 backbone (not a jit); will \
compile in warmup.
INFO 08-11 02:21:33 [compilation_manager.py:137] Precompile worker0 backbone with embeds --> \
{'num_tokens': 32, \
'num_reqs': 256, 'shared_attention_metadata': SharedAttentionMetadata(input_positions=Array([1, 1, 1, \
1, 1, 1, \
1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
"""
"""Lines of a real boot of E2B on a v6e-1 with 0.26: sizes, and then arrays over several lines."""


def test_whole_models_of_the_older_version_are_counted() -> None:
    found = boot_log.parse(OLD_SIZES)
    assert found.programs == {"backbone": 1, "backbone with embeds": 1}
    assert (found.tokens, found.attention) == ((16,), (256,))


CRASH = """\
(EngineCore pid=187) INFO 08-07 23:14:02 [tpu_worker.py:557] Memory statistics | \
total_hbm_limit_gb=15.75GiB | \
total_hbm_limit_cap_gb=14.96GiB | total_hbm_used_gb=8.97GiB | total_hbm_avail_gb=5.99GiB
(EngineCore pid=187) INFO 08-07 23:27:16 [compilation_manager.py:137] Precompile structured_decode --> \
{'num_reqs': 256}
(EngineCore pid=187) ERROR 08-07 23:27:17 [core.py:1349] EngineCore failed to start.
(EngineCore pid=187) ERROR 08-07 23:27:17 [core.py:1349] Traceback (most recent call last):
(EngineCore pid=187) Process EngineCore:
(EngineCore pid=187) ERROR 08-07 23:27:17 [core.py:1349]     raise e
(EngineCore pid=187) ERROR 08-07 23:27:17 [core.py:1349] jax.errors.JaxRuntimeError: \
RESOURCE_EXHAUSTED: E0101: \
RuntimeProgramAllocationFailure:
(EngineCore pid=187) ERROR 08-07 23:27:17 [core.py:1349] Error loading program 'jit_structured_decode_fn': \
Attempting to reserve 384.11M at the bottom of memory. That was not possible. There are 346.77M free, 0B \
reserved, and 346.77M reservable.
(APIServer pid=1) RuntimeError: Engine core initialization failed.
"""
"""End of the real boot of E2B on a v5e-1 at 0.95 of HBM."""


@pytest.mark.parametrize(
    ("share", "predicted", "agrees"), [(0.95, "does not fit", True), (0.92, "serves", False)]
)
def test_a_crash_is_reported_beside_the_verdict(share: float, predicted: str, agrees: bool) -> None:
    log = boot_log.parse(CRASH)
    config = engine(tensor_parallel_size=1, gpu_memory_utilization=share, limit_mm_per_prompt={"image": 4})
    line = compare(log, Candidate(accelerator("v5e-1"), model("gemma-4-e2b-it"), config))[0]
    assert (line.name, line.predicted, line.measured, line.agrees) == ("boot", predicted, "crashed", agrees)
    assert line.note.startswith("jax.errors.JaxRuntimeError: RESOURCE_EXHAUSTED")
    assert "program 'jit_structured_decode_fn': Attempting to reserve 384.11M" in line.note


def test_an_unfinished_log_contradicts_no_verdict() -> None:
    whole = read("doubling-fp8")
    mebibytes, fields = BOOTS["doubling-fp8"]
    slice_ = dataclasses.replace(STAND_IN, hbm_bytes_per_chip=mebibytes * 2**20)
    cut = boot_log.parse(whole[: whole.index("init engine")])
    line = compare(cut, Candidate(slice_, TINY, engine(**fields)))[0]
    assert (line.predicted, line.measured, line.agrees) == ("serves", "unfinished", None)
    assert line.note == "the log ends before the server was ready"


def test_the_programs_of_drafting_are_read_by_their_logits() -> None:
    text = (
        "INFO 11-24 23:42:21 [x.py:1] Precompile worker0 greedy_rejection_sampler --> "
        "{'num_logits': 16, 'num_reqs': 8, 'do_sampling': False}\n"
        "INFO 11-24 23:42:21 [x.py:1] Precompile worker0 greedy_rejection_sampler --> "
        "{'num_logits': 8, 'num_reqs': 8, 'do_sampling': False}\n"
    )
    assert boot_log.parse(text).logits == (8, 16)


@pytest.mark.parametrize("text", ["", "hello\n", "INFO 11-24 23:42:21 [x.py:1] starting\n"])
def test_no_boot_log(text: str) -> None:
    with pytest.raises(ValueError, match=r"no line of a vLLM boot on TPU .* pass the whole log"):
        boot_log.parse(text)
