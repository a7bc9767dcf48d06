"""The shortest time in which a chip can do a program's work: the roofline of its peak speeds.

What the compiler counts is an upper bound of the HBM traffic (a value that stays in vector memory counts as
if it were read again) and a lower one of the arithmetic (kernels count what their authors declare), so the
result is a guide to which resource a step waits for, not a prediction."""

from dataclasses import dataclass
from typing import Literal

from serving.accelerators import Accelerator
from serving.proofs import Program


@dataclass(frozen=True)
class Bound:
    """`seconds` of one run on one chip at peak speed, and the resource that they are spent on."""

    seconds: float
    by: Literal["arithmetic", "HBM"]


def bound(program: Program, accelerator: Accelerator) -> Bound | None:
    """The program's roofline bound, or None where the slice's peaks or the program's work are not known.

    The peaks are those of serving/accelerators.py (cloud.google.com/tpu/docs/v6e), bf16.
    """
    flops, bandwidth = accelerator.bf16_flops, accelerator.hbm_bytes_per_second
    if not flops or not bandwidth or not (program.flops or program.hbm_bytes):
        return None
    computing, moving = program.flops / flops, program.hbm_bytes / bandwidth
    return Bound(computing, "arithmetic") if computing > moving else Bound(moving, "HBM")
