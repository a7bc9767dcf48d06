"""Boots of Gemma 4 on real v6e slices, as their published logs have them.

All from github.com/xbill9/gemma4-dev at 395bf646 (earlier commits for the boots of August): other people's
machines, older vLLM, the default utilisation of 0.92. They are the only measurements of HBM that this
project knows of, so the memory model must reproduce each of them (tests/unit/serving/test_memory.py).
"""

from dataclasses import dataclass

from serving.hardware.accelerators import GIB

UTILIZATION = 0.92


@dataclass(frozen=True)
class Boot:
    """What one log says. Sizes in GiB as logged (two decimals), lengths in tokens.

    `resident` is HBM in use on each chip after the weights are loaded, `available` what the server then
    gave to the KV cache of the whole slice.
    """

    model: str
    accelerator: str
    tensor_parallel: int
    version: str
    images: bool
    max_model_len: int
    max_num_seqs: int
    max_num_batched_tokens: int
    block_size: int
    checkpoint: float
    resident: float
    available: float
    kv_tokens: int
    log: str


BOOTS = (
    Boot(
        "gemma-4-e2b-it", "v6e-1", 1, "0.26.1rc1.dev256", True, 32_768, 256, 4096, 64,
        9.54, 8.97, 19.77, 1_151_744, "gce-vllm-v6e1-2b/…/2026-08-10-gce-flex-v6e1/logs/vllm-boot.log",
    ),
    Boot(
        "gemma-4-e2b-it", "v6e-1", 1, "0.29.1rc1.dev468", False, 2048, 16, 2048, 128,
        9.54, 8.97, 19.77, 1_151_744, "gce-vllm-v6e1-2b/…/google_gemma-4-E2B-it.boot.log",
    ),
    Boot(
        "gemma-4-e4b-it", "v6e-1", 1, "0.29.1rc1.dev468", False, 2048, 16, 2048, 128,
        14.89, 14.32, 14.42, 269_952, "gce-vllm-v6e1-4b/…/google_gemma-4-E4B-it.boot.log",
    ),
    Boot(
        # Loaded through torchax: the JAX path does not register the 12B's architecture.
        "gemma-4-12b-it", "v6e-1", 1, "0.29.1rc1.dev468", False, 2048, 16, 2496, 128,
        22.28, 24.56, 4.19, 13_056, "gce-vllm-v6e1-12b/…/google_gemma-4-12B-it.boot.log",
    ),
    Boot(
        "gemma-4-26b-a4b-it", "v6e-4", 4, "0.29.1rc1.dev468", False, 2048, 16, 2048, 128,
        48.07, 15.29, 53.81, 235_008, "gce-vllm-v6e4-26b/…/google_gemma-4-26B-A4B-it.boot.log",
    ),
    Boot(
        "gemma-4-31b-it", "v6e-4", 4, "0.26.1rc1", True, 32_768, 256, 4096, 64,
        58.25, 14.60, 56.57, 67_392, "gce-vllm-v6e8-31b/…/2026-08-25-tp4-v6e4-31b-validation",
    ),
)  # fmt: skip


def resident_bytes(model: str, tensor_parallel: int) -> int | None:
    """Bytes in use on each chip after loading `model` unquantised, to a hundredth of a GiB; None when no
    log has it."""
    for boot in BOOTS:
        if (boot.model, boot.tensor_parallel) == (model, tensor_parallel):
            return round(boot.resident * GIB)
    return None
