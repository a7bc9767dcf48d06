"""The shortest time in which a chip can do a program's work: the roofline of its peak speeds.

The compiler's count of HBM traffic is far too high for a whole model (a value that stays in vector memory
counts as if it were read again), so no program is taken to move more than its weights and its arguments
once. Its count of arithmetic is rather low (kernels count what their authors declare). The result is a guide
to which resource a step waits for, not a prediction."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from serving.compilation.proof import Program
from serving.hardware.accelerators import Accelerator


@dataclass(frozen=True)
class Bound:
    """`seconds` of one run on one chip at peak speed, and the resource that they are spent on."""

    seconds: float
    by: Literal["arithmetic", "HBM"]


def bound(program: Program, accelerator: Accelerator, weights: Mapping[str, int]) -> Bound | None:
    """The program's roofline bound, or None where the slice's peaks or the program's work are not known.
    `weights` are the groups of a proof, bytes on one chip. A step is taken to read every expert, and no KV
    cache.

    The peaks are those of serving/hardware/accelerators.py (cloud.google.com/tpu/docs/v6e), bf16.
    """
    flops, bandwidth = accelerator.bf16_flops, accelerator.hbm_bytes_per_second
    if not flops or not bandwidth or not (program.flops or program.hbm_bytes):
        return None
    read = sum(size for group, size in weights.items() if _reads(program.kind, group))
    moved = min(program.hbm_bytes, read + program.argument_bytes)
    computing, moving = program.flops / flops, moved / bandwidth
    return Bound(computing, "arithmetic") if computing > moving else Bound(moving, "HBM")


def _reads(kind: str, group: str) -> bool:
    """Whether a program reads all of a group. A step looks up some rows of the embedding; logits need all."""
    if kind.startswith("backbone"):
        return group not in ("vision", "embedding")
    return kind != "mm_encoder_jit" or group == "vision"
