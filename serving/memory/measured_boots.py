"""Measured boots of Gemma 4 on real v5e and v6e slices, from published logs.

All logs are in github.com/xbill9/gemma4-dev at 395bf646 (earlier commits for the boots of August). They come
from other people's machines, with an older vLLM. This project knows of no other measurement of HBM, so the
memory model must reproduce each of them (tests/unit/serving/memory/test_measured_boots.py). Their seconds are
the only ones of real slices, so the estimate of a boot is fitted on them
(tests/unit/serving/startup/test_measured_boots.py).
"""

from dataclasses import dataclass

from serving.messages.units import GIB
from serving.models.spec import CodePath


@dataclass(frozen=True)
class Seconds:
    """Seconds of boots of one configuration, one for each boot that logged them."""

    load: tuple[float, ...] = ()
    """"Loading weights took", from files in the host's memory."""
    engine: tuple[float, ...] = ()
    """"init engine took", with an empty compile cache."""
    engine_warm: tuple[float, ...] = ()
    """The same with the programs in the compile cache."""
    ready: tuple[float, ...] = ()
    """From the process's start to "startup complete", with the files in memory and an empty compile cache."""
    ready_warm: tuple[float, ...] = ()
    """The same with the programs in the compile cache."""
    read: tuple[float, ...] = ()
    """Copying the files from a bucket to memory."""


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
    path: CodePath = "Gemma4ForConditionalGeneration"
    """Code that ran the model. Programs and buffers of torchax are not modeled."""
    utilization: float = 0.92
    """`gpu_memory_utilization`; vLLM's default."""
    programs: int | None = None
    """Programs that the boot compiled, where they were counted."""
    ended_in: str = ""
    """Program for which the chip had no room, where the boot failed."""
    seconds: Seconds = Seconds()

    @property
    def resident_bytes(self) -> int:
        """Bytes in use on each chip after loading, to a hundredth of a GiB."""
        return round(self.resident_gib * GIB)


BOOTS = (
    MeasuredBoot(
        model="gemma-4-e2b-it",
        accelerator="v5e-1",
        tensor_parallel=1,
        version="0.26.1rc1.dev125",
        images=True,
        max_model_len=16_384,
        max_num_seqs=256,
        max_num_batched_tokens=4096,
        block_size=32,
        checkpoint_gib=9.54,
        resident_gib=8.97,
        available_gib=5.99,
        kv_tokens=348_896,
        log="tpu-vllm-v5e1-2b/…/2026-08-07-gpu-mem-util-v5e1/logs/util095.log",
        utilization=0.95,
        ended_in="structured_decode",
    ),
    MeasuredBoot(
        model="gemma-4-e2b-it",
        accelerator="v5e-1",
        tensor_parallel=1,
        version="0.26.1rc1.dev125",
        images=True,
        max_model_len=16_384,
        max_num_seqs=256,
        max_num_batched_tokens=4096,
        block_size=32,
        checkpoint_gib=9.54,
        resident_gib=8.97,
        available_gib=5.52,
        kv_tokens=321_376,
        log="tpu-vllm-v5e1-2b/…/2026-08-07-gpu-mem-util-v5e1/REPORT.md (the baseline)",
        # Arm A of 2026-08-09-serving-params-v5e1 is the same configuration.
        seconds=Seconds(ready=(1089,)),
    ),
    MeasuredBoot(
        model="gemma-4-e2b-it",
        accelerator="v5e-1",
        tensor_parallel=1,
        version="0.26.1rc1.dev125",
        images=True,
        max_model_len=32_768,
        max_num_seqs=256,
        max_num_batched_tokens=4096,
        block_size=64,
        checkpoint_gib=9.54,
        resident_gib=8.97,
        available_gib=5.52,
        kv_tokens=321_344,
        log="tpu-vllm-v5e1-2b/…/2026-08-09-serving-params-v5e1/REPORT.md (arm E)",
        seconds=Seconds(ready=(857,), ready_warm=(497, 500)),
    ),
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
        # Three boots. One log has 668 s from its first line to its last; its report has 647 s.
        seconds=Seconds(load=(50.47,), engine=(450.03, 457.3, 447.8), ready=(647, 668)),
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
        seconds=Seconds(load=(44.58,), engine=(166.36,), ready=(344,)),
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
        seconds=Seconds(load=(56.0,), engine=(208.92,)),
    ),
    MeasuredBoot(
        # The JAX path does not register the 12B's own architecture.
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
        path="torchax",
    ),
    MeasuredBoot(
        # The architecture was overridden with --hf-overrides.
        model="gemma-4-12b-it",
        accelerator="v6e-1",
        tensor_parallel=1,
        version="0.29.1rc1.dev468",
        images=False,
        max_model_len=2048,
        max_num_seqs=16,
        max_num_batched_tokens=2048,
        block_size=128,
        checkpoint_gib=22.28,
        resident_gib=22.18,
        available_gib=6.56,
        kv_tokens=20_480,
        log="gce-vllm-v6e1-12b/…/2026-09-26-override-12b-bf16-ovr-v6e1/…/google_gemma-4-12B-it.boot.log",
        path="Gemma4ForCausalLM",
        programs=72,
        # The log of another checkpoint with the same shapes, 18 minutes later, agrees to a second. In both
        # every program that takes more than a second came from the compile cache.
        seconds=Seconds(load=(56.32, 54.49), engine_warm=(54.62,)),
    ),
    MeasuredBoot(
        # Not in that repository: an article on dev.to of 2026-06-29, "Gemma 12B TPU v6e-4". It has the sums
        # of four chips, and neither the requests nor the tokens of a step, which are vLLM's defaults here.
        model="gemma-4-12b-it",
        accelerator="v6e-4",
        tensor_parallel=4,
        version="of June 2026",
        images=False,
        max_model_len=65_536,
        max_num_seqs=256,
        max_num_batched_tokens=2048,
        block_size=128,
        checkpoint_gib=22.28,
        resident_gib=26.01 / 4,
        available_gib=88.98,
        kv_tokens=242_944,
        log="dev.to, 2026-06-29",
        path="torchax",
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
        seconds=Seconds(load=(153.48,), engine=(197.01,), ready=(459, 466)),
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
        seconds=Seconds(load=(129.1,), engine=(427.88,), read=(337,)),
    ),
)


def boot(model: str, path: CodePath, tensor_parallel: int) -> MeasuredBoot | None:
    """Returns the first boot of `model` unquantized by that code path at that `tensor_parallel`, or None."""
    wanted = (model, path, tensor_parallel)
    return next((row for row in BOOTS if (row.model, row.path, row.tensor_parallel) == wanted), None)
