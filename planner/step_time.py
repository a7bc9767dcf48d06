"""Seconds of one step: its work at the chip's peak rates, and the three constants of the model's row.

Images, matrices, prefilling attention and decoding attention run one after the other. All but the last take
the longer of their arithmetic, at `efficiency` of the peak, and their HBM traffic, at the peak. Decoding
attention takes both: its arithmetic, already padded to the matrix unit, at the peak, and its pages at
`efficiency` of the HBM's peak, because a request's pages are copied one by one. Collectives take their bytes
at the links' peak. Every step adds `step_seconds`: the host's work that does not overlap, and latencies of
kernels and collectives. Every new request adds `request_seconds`, in which the host prepares it.

That decoding takes both is seen in the measured medians between two tokens, most of which come from steps
that only decode: 28.8 ms for 64 requests of 4,096 tokens, 23.8 ms for 32 of 8,192 and 8.6 ms for 16 of 1,024.
The sum gives 26.7, 22.4 and 8.2 ms, the longer of both 15.4, 11.9 and 7.5 ms.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from planner.constants import Constants
from planner.step_work import Piece, Shape, StepWork
from serving.hardware.accelerators import GB, Accelerator

LINK_BYTES_PER_SECOND = 448 * GB
"""Peak rate of all links of a v6e chip: 3,584 Gbit/s (cloud.google.com/tpu/docs/v6e)."""


@dataclass(frozen=True)
class StepTime:
    """Seconds of one step by the resource that they wait for."""

    arithmetic: float
    hbm: float
    links: float
    host: float

    @property
    def total(self) -> float:
        """Returns all seconds."""
        return self.arithmetic + self.hbm + self.links + self.host


def step_time(work: StepWork, accelerator: Accelerator, constants: Constants) -> StepTime:
    """Returns the time of one step. Raises ValueError for a slice whose peak rates are unknown."""
    flops, bandwidth = accelerator.bf16_flops, accelerator.hbm_bytes_per_second
    if flops is None or bandwidth is None:
        raise ValueError(f"The peak rates of {accelerator.name} are unknown: choose a v6e slice.")
    reached = constants.efficiency
    arithmetic = work.decode.flops / flops
    hbm = work.decode.bytes / (bandwidth * reached)
    for part in (work.matrices, work.prefill, work.images):
        computing, moving = part.flops / (flops * reached), part.bytes / bandwidth
        if computing > moving:
            arithmetic += computing
        else:
            hbm += moving
    return StepTime(
        arithmetic=arithmetic,
        hbm=hbm,
        links=work.exchanged_bytes / LINK_BYTES_PER_SECOND,
        host=constants.step_seconds + constants.request_seconds * work.new_requests,
    )


def timer(
    shape: Shape, accelerator: Accelerator, constants: Constants
) -> Callable[[Sequence[Piece]], StepTime]:
    """Returns the function from the requests of a step to its time."""
    return lambda pieces: step_time(shape.work(pieces), accelerator, constants)
