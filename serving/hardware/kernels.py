"""What the kernels of the pinned wheels can be compiled for."""

from serving.hardware.accelerators import Accelerator


def expert_parallel_lowers(accelerator: Accelerator) -> int | None:
    """Largest step, in tokens, for which --enable-expert-parallel compiles; None when there is no limit.

    Compiled for v6e:2x2 with libtpu 0.0.48's compile-only client from tpu-inference 0.32.0: steps of 1,024,
    2,048 and 4,096 tokens raise NotImplementedError in the ragged gather kernel, which was tuned for 16 row
    partitions where v6e has 8 SparseCore lanes; 512 and below compile.
    """
    return 512 if accelerator.generation == "v6e" else None
