"""Measured boots of Gemma 4 on real v6e slices, from published logs.

All logs are in github.com/xbill9/gemma4-dev at 395bf646 (earlier commits for the boots of August). They come
from other people's machines, with an older vLLM and its default `gpu_memory_utilization` of 0.92. This
project knows of no other measurement of HBM, so the memory model must reproduce each of them
(tests/unit/serving/memory/test_weights.py).
"""

from dataclasses import dataclass

from serving.messages.units import GIB

UTILIZATION = 0.92
"""`gpu_memory_utilization` of every boot below."""


@dataclass(frozen=True)
class MeasuredBoot:
    """Facts of one boot log."""

    model: str
    accelerator: str
    tensor_parallel: int
    version: str
    """Of vLLM."""
    images: bool
    """True when the server accepted images."""
    max_model_len: int
    max_num_seqs: int
    max_num_batched_tokens: int
    block_size: int
    """Tokens of one page of the KV cache."""
    checkpoint_gib: float
    """Size of the checkpoint's files, to a hundredth of a GiB, like the other two sizes."""
    resident_gib: float
    """HBM in use on each chip after the weights are loaded."""
    available_gib: float
    """HBM of the whole slice that the server then gives to the KV cache."""
    kv_tokens: int
    """Tokens that the KV cache of the whole slice holds."""
    log: str
    """Path of the log in the repository."""


BOOTS = (
    MeasuredBoot(
        model="gemma-4-e2b-it",
        accelerator="v6e-1",
        tensor_parallel=1,
        version="0.26.1rc1.dev256",
        images=True,
        max_model_len=32_768,
        max_num_seqs=256,
        max_num_batched_tokens=4096,
        block_size=64,
        checkpoint_gib=9.54,
        resident_gib=8.97,
        available_gib=19.77,
        kv_tokens=1_151_744,
        log="gce-vllm-v6e1-2b/…/2026-08-10-gce-flex-v6e1/logs/vllm-boot.log",
    ),
    MeasuredBoot(
        model="gemma-4-e2b-it",
        accelerator="v6e-1",
        tensor_parallel=1,
        version="0.29.1rc1.dev468",
        images=False,
        max_model_len=2048,
        max_num_seqs=16,
        max_num_batched_tokens=2048,
        block_size=128,
        checkpoint_gib=9.54,
        resident_gib=8.97,
        available_gib=19.77,
        kv_tokens=1_151_744,
        log="gce-vllm-v6e1-2b/…/google_gemma-4-E2B-it.boot.log",
    ),
    MeasuredBoot(
        model="gemma-4-e4b-it",
        accelerator="v6e-1",
        tensor_parallel=1,
        version="0.29.1rc1.dev468",
        images=False,
        max_model_len=2048,
        max_num_seqs=16,
        max_num_batched_tokens=2048,
        block_size=128,
        checkpoint_gib=14.89,
        resident_gib=14.32,
        available_gib=14.42,
        kv_tokens=269_952,
        log="gce-vllm-v6e1-4b/…/google_gemma-4-E4B-it.boot.log",
    ),
    MeasuredBoot(
        # Loaded through torchax: the JAX path does not register the 12B's architecture.
        model="gemma-4-12b-it",
        accelerator="v6e-1",
        tensor_parallel=1,
        version="0.29.1rc1.dev468",
        images=False,
        max_model_len=2048,
        max_num_seqs=16,
        max_num_batched_tokens=2496,
        block_size=128,
        checkpoint_gib=22.28,
        resident_gib=24.56,
        available_gib=4.19,
        kv_tokens=13_056,
        log="gce-vllm-v6e1-12b/…/google_gemma-4-12B-it.boot.log",
    ),
    MeasuredBoot(
        model="gemma-4-26b-a4b-it",
        accelerator="v6e-4",
        tensor_parallel=4,
        version="0.29.1rc1.dev468",
        images=False,
        max_model_len=2048,
        max_num_seqs=16,
        max_num_batched_tokens=2048,
        block_size=128,
        checkpoint_gib=48.07,
        resident_gib=15.29,
        available_gib=53.81,
        kv_tokens=235_008,
        log="gce-vllm-v6e4-26b/…/google_gemma-4-26B-A4B-it.boot.log",
    ),
    MeasuredBoot(
        model="gemma-4-31b-it",
        accelerator="v6e-4",
        tensor_parallel=4,
        version="0.26.1rc1",
        images=True,
        max_model_len=32_768,
        max_num_seqs=256,
        max_num_batched_tokens=4096,
        block_size=64,
        checkpoint_gib=58.25,
        resident_gib=14.60,
        available_gib=56.57,
        kv_tokens=67_392,
        log="gce-vllm-v6e8-31b/…/2026-08-25-tp4-v6e4-31b-validation",
    ),
)


def resident_bytes(model: str, tensor_parallel: int) -> int | None:
    """Returns the bytes in use on each chip after loading `model` unquantized, to a hundredth of a GiB.

    Returns None when no log has that model at that `tensor_parallel`.
    """
    for boot in BOOTS:
        if (boot.model, boot.tensor_parallel) == (model, tensor_parallel):
            return round(boot.resident_gib * GIB)
    return None
