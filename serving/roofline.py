"""The shortest time in which a chip can do a program's work: the roofline of its peak speeds.

The compiler's count of HBM traffic is far too high for a whole model (a value that stays in vector memory
counts as if it were read again), so no program is taken to move more than every weight and every argument
once. Its count of arithmetic is rather low (kernels count what their authors declare). The result is a guide
to which resource a step waits for, not a prediction."""

from dataclasses import dataclass
from typing import Literal

from serving.accelerators import Accelerator
from serving.proofs import Program


@dataclass(frozen=True)
class Bound:
    """`seconds` of one run on one chip at peak speed, and the resource that they are spent on."""

    seconds: float
    by: Literal["arithmetic", "HBM"]


def bound(program: Program, accelerator: Accelerator, resident_bytes: int) -> Bound | None:
    """The program's roofline bound beside `resident_bytes` of weights on the chip, or None where the slice's
    peaks or the program's work are not known. A step is taken to use every expert.

    The peaks are those of serving/accelerators.py (cloud.google.com/tpu/docs/v6e), bf16.
    """
    flops, bandwidth = accelerator.bf16_flops, accelerator.hbm_bytes_per_second
    if not flops or not bandwidth or not (program.flops or program.hbm_bytes):
        return None
    moved = min(program.hbm_bytes, resident_bytes + program.argument_bytes)
    computing, moving = program.flops / flops, moved / bandwidth
    return Bound(computing, "arithmetic") if computing > moving else Bound(moving, "HBM")
