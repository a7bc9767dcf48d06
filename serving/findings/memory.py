"""Rules about HBM: what does not fit, and what the KV cache can hold."""

from collections.abc import Iterator

from serving.compilation.candidate import Candidate, Rule
from serving.memory import kv_cache
from serving.memory.budget import budget
from serving.messages.finding import Finding
from serving.messages.units import GIB, gib

HEADROOM_FLOOR_BYTES = GIB // 2
"""Less than this left on a chip is remarked on: the memory model does not know the runtime's own
reservations, fragmentation, or what the vision tower holds while it runs."""

TYPICAL_TOKENS = 2300
"""A prompt of 2,048 tokens and a short answer, the load that the Turbo-Stable recipe names."""


def fit(candidate: Candidate) -> Iterator[Finding]:
    try:
        terms = budget(candidate)
    except ValueError as refusal:
        yield _refused(str(refusal))
        return
    problem = terms.problem
    if problem is not None:
        if problem.code != "too-few-chips":
            yield problem
        return
    if not candidate.accelerator.is_stand_in and terms.left_bytes < HEADROOM_FLOOR_BYTES:
        # Pages that are told are so many whatever the share.
        told = candidate.engine.num_gpu_blocks_override is not None
        yield candidate.finding(
            "warning",
            "little-headroom",
            "num_gpu_blocks_override" if told else "gpu_memory_utilization",
            f"{gib(terms.left_bytes)} of each chip is left for what the model of memory does not "
            f"know: the runtime's own reservations, fragmentation, images while they are encoded",
            f"lower it by {'a twentieth' if told else '0.02'} or more for a server that must not fall over",
        )
    length = min(TYPICAL_TOKENS, candidate.engine.max_model_len)
    resident = terms.pool.resident_requests(length)
    if resident < candidate.engine.max_num_seqs:
        yield candidate.finding(
            "note",
            "slots-beyond-cache",
            "max_num_seqs",
            f"the KV cache of {terms.pool.tokens:,} tokens holds {resident:,} requests of "
            f"{length:,} tokens; more of them wait or are preempted",
            "expect queueing above that number",
        )


def _refused(text: str) -> Finding:
    """A sentence of the memory model, "asked: truth; change.", as a finding."""
    asked, _, rest = text.rstrip(".").partition(": ")
    truth, _, change = rest.rpartition("; ")
    return Finding("error", "memory-unknown", "engine", asked, truth, change)


def eight_bit_cache(candidate: Candidate) -> Iterator[Finding]:
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
    change = "compare answers on your own evaluation"
    if stored == "e4m3" and candidate.accelerator.generation == "v6e":
        change += ", and try fp8_e5m2, which upstream found faster on v6e"
    yield candidate.finding("warning", "eight-bit-cache", "kv_cache_dtype", truth, change)


RULES: tuple[Rule, ...] = (fit, eight_bit_cache)
