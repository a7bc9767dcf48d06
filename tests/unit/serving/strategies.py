"""Engines and pieces of them that hypothesis draws, and the smallest real one."""

from typing import Any

from hypothesis import strategies as st

from serving.engine.config import EngineConfig, parse
from serving.hardware.accelerators import accelerator
from serving.models.catalog import model

V6E_4 = accelerator("v6e-4")
STAND_IN = accelerator("local-v6e-4")
GEMMA = model("gemma-4-26b-a4b-it")
TINY = model("tiny-gemma4-moe")


def engine(**fields: Any) -> EngineConfig:
    """The recipe's shape without its drafting, with `fields` over it."""
    return parse(
        {
            "tensor_parallel_size": 4,
            "gpu_memory_utilization": 0.9,
            "max_model_len": 16_384,
            "max_num_seqs": 256,
            "max_num_batched_tokens": 4096,
            **fields,
        }
    )


@st.composite
def engines(draw: st.DrawFn) -> EngineConfig:
    """Any engine that the memory model can judge, sensible or not."""
    drafts = draw(st.sampled_from([None, 1, 3, 7]))
    return engine(
        gpu_memory_utilization=draw(st.integers(55, 100)) / 100,
        max_model_len=draw(st.sampled_from([1024, 4096, 16_384, 131_072])),
        max_num_seqs=draw(st.sampled_from([8, 16, 64, 128, 256, 512])),
        max_num_batched_tokens=draw(st.sampled_from([512, 2048, 4096, 8192])),
        kv_cache_dtype=draw(st.sampled_from([None, "bfloat16", "fp8_e5m2"])),
        block_size=draw(st.sampled_from([None, 16, 32, 64, 256])),
        bucket_padding_gap=draw(st.sampled_from([None, 128, 512])),
        enable_expert_parallel=draw(st.booleans()),
        moe_requantize_weight_dtype=draw(st.sampled_from([None, "float8_e4m3fn"])),
        speculative=drafts and {"method": "ngram", "num_speculative_tokens": drafts},
        limit_mm_per_prompt=draw(st.sampled_from([None, {}, {"image": 4}])),
    )
