"""The roofline of a program: the shortest time in which a chip can do its work, at the chip's peak rates.

The compiler's count of HBM traffic is far too high for a whole model: a value that stays in vector memory
counts as read again. So a program is assumed to move at most its weights and its arguments, once, and of the
experts only those that its tokens are sent to. The compiler's count of arithmetic is rather low: it counts
kernels as their authors declare them. The result shows which resource a step waits for. It is no prediction.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from serving.compilation.proof import Program
from serving.hardware.accelerators import Accelerator
from serving.models.spec import Experts


@dataclass(frozen=True)
class Bound:
    """Seconds of one run on one chip at its peak rate, and the resource that needs them."""

    seconds: float
    by: Literal["arithmetic", "HBM"]


def bound(
    program: Program, accelerator: Accelerator, weights: Mapping[str, int], experts: Experts | None
) -> Bound | None:
    """Returns the program's roofline bound; None if the slice's peak rates or the program's work are unknown.

    `weights` are the groups of a proof, in bytes on one chip, and `experts` those of a layer. A step is
    assumed to read the experts that its tokens hit, and no KV cache. The peak rates are those of
    serving/hardware/accelerators.py (cloud.google.com/tpu/docs/v6e) in bf16.
    """
    flops, bandwidth = accelerator.bf16_flops, accelerator.hbm_bytes_per_second
    if not flops or not bandwidth or not (program.flops or program.hbm_bytes):
        return None
    read = sum(
        size * (_share_hit(program, experts) if group == "experts" and experts else 1)
        for group, size in weights.items()
        if _reads(program.kind, group)
    )
    moved = min(program.hbm_bytes, read + program.argument_bytes)
    computing, moving = program.flops / flops, moved / bandwidth
    return Bound(computing, "arithmetic") if computing > moving else Bound(moving, "HBM")


def _reads(kind: str, group: str) -> bool:
    """Returns whether a program reads a whole group.

    A step reads some rows of the embedding, the program of the logits reads all.
    """
    if kind.startswith("backbone"):
        return group not in ("vision", "embedding")
    return kind != "mm_encoder_jit" or group == "vision"


def _share_hit(program: Program, experts: Experts) -> float:
    """Returns the expected share of a layer's experts that the tokens of a step hit.

    Each token is sent to `per_token` different experts, all equally likely. Where tokens prefer some experts,
    a step hits fewer.
    """
    tokens = re.search(r"num_tokens=(\d+)", program.shape)
    return 1 - (1 - experts.per_token / experts.count) ** int(tokens[1]) if tokens else 1
