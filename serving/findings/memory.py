"""Rules about HBM: what does not fit, and what the KV cache can hold."""

from collections.abc import Iterator

from serving.compilation.candidate import Candidate, Rule
from serving.memory import changes, kv_cache
from serving.memory.budget import budget
from serving.memory.kv_cache import Indivisible
from serving.messages.finding import Finding
from serving.messages.units import GIB, gib
from serving.models.spec import NotStated

HEADROOM_FLOOR_BYTES = GIB // 2
"""A chip with less left than this gets a warning.

The memory model does not know the runtime's own reservations, fragmentation, or what the vision tower holds
while it runs.
"""

TYPICAL_TOKENS = 2300
"""A prompt of 2,048 tokens and a short answer, the load that the Turbo-Stable recipe names."""


def fit(candidate: Candidate) -> Iterator[Finding]:
    """Refuses what does not fit, and reports little headroom.

    The server fills `gpu_memory_utilization` of HBM and profiles nothing
    (tpu_inference/worker/tpu_worker.py, `determine_available_memory`).
    """
    try:
        terms = budget(candidate)
    except Indivisible as reason:
        divisor = {changes.TENSOR_PARALLEL: candidate.accelerator.chips}
        yield candidate.finding("error", "memory-unknown", "tensor_parallel_size", reason.truth, divisor)
        return
    except NotStated as reason:
        name = candidate.model.name
        change = "choose another model, or add the number with its source to serving/models/catalog.py"
        yield Finding("error", "memory-unknown", "model", f"model is {name}", str(reason), change)
        return
    problem = terms.problem
    if problem is not None:
        if problem.code != "too-few-chips":
            yield problem
        return
    missing = HEADROOM_FLOOR_BYTES - terms.left_bytes
    if terms.modeled and not candidate.accelerator.is_stand_in and missing > 0:
        # The override fixes the pages whatever the share.
        pinned = candidate.engine.num_gpu_blocks_override is not None
        less = (
            changes.fewer_pages(candidate, terms, missing)
            if pinned
            else changes.smaller_share(candidate, HEADROOM_FLOOR_BYTES)
        )
        yield candidate.finding(
            "warning",
            "little-headroom",
            "num_gpu_blocks_override" if pinned else "gpu_memory_utilization",
            f"{gib(terms.left_bytes)} of each chip is left for what the model of memory does not know: the "
            f"runtime's own reservations, fragmentation, images while they are encoded",
            *less,
            otherwise="keep it for a server that may end when it runs out of memory",
        )


def slots(candidate: Candidate) -> Iterator[Finding]:
    """Reports more request slots than the KV cache holds typical requests.

    vllm/v1/core/sched/scheduler.py: a request whose pages are not free waits, or another is preempted.
    """
    try:
        terms = budget(candidate)
    except ValueError:
        return
    length = min(TYPICAL_TOKENS, candidate.engine.max_model_len)
    resident = terms.pool.resident_requests(length)
    if terms.fits and resident < candidate.engine.max_num_seqs:
        yield candidate.finding(
            "note",
            "slots-beyond-cache",
            "max_num_seqs",
            f"the KV cache of {terms.pool.tokens:,} tokens holds {resident:,} requests of {length:,} tokens; "
            f"more of them wait or are preempted",
            otherwise=f"nothing has to be changed: expect queues above {resident:,} such requests",
        )


def eight_bit_cache(candidate: Candidate) -> Iterator[Finding]:
    """Reports an fp8 KV cache.

    tpu_inference/utils.py, `to_jax_dtype`, stores it without scales; that e5m2 is faster on v6e is from
    github.com/vllm-project/tpu-inference/issues/1112.
    """
    dtype = candidate.engine.kv_cache_dtype or "auto"
    if not dtype.startswith("fp8"):
        return
    chips = candidate.engine.tensor_parallel_size
    try:
        narrow, wide = (kv_cache.token_bytes(candidate.model, bits, chips) for bits in (8, 16))
    except ValueError:
        return
    stored = "e5m2" if dtype == "fp8_e5m2" else "e4m3"
    model = candidate.model.name
    truth = f"values are stored as {stored} without scales, which nobody has evaluated for {model}"
    share = narrow / wide
    if share > 0.505:
        truth += f", and a token takes {share:.0%} of its bf16 size on {chips} chips, not half"
    otherwise = "compare answers on your own evaluation"
    if stored == "e4m3" and candidate.accelerator.generation == "v6e":
        otherwise += ", and try fp8_e5m2, which upstream found faster on v6e"
    unset = {"engine.kv_cache_dtype": None}
    yield candidate.finding("warning", "eight-bit-cache", "kv_cache_dtype", truth, unset, otherwise=otherwise)


RULES: tuple[Rule, ...] = (fit, slots, eight_bit_cache)
