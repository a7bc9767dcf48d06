"""Lines of the stack's outputs, so that the diff of an ordinary preview shows the effect of a change.

A line has at most LONGEST characters. It has the numbers that a change affects, and their source.
"""

from datetime import date

from serving.compilation.candidate import Candidate
from serving.compilation.fingerprint import Fingerprint
from serving.engine.config import EngineConfig
from serving.findings.memory import TYPICAL_TOKENS
from serving.hardware import prices
from serving.hardware.accelerators import Accelerator
from serving.hardware.prices import Provisioning
from serving.memory.terms import Memory
from serving.messages.units import GIB, duration
from serving.startup.cold_start import ColdStart

LONGEST = 160
"""Characters of the longest line."""


def kv_capacity(memory: Memory, engine: EngineConfig) -> str:
    """Returns the line on the KV cache: its tokens, the requests that fit at once, and the free HBM."""
    pool = memory.pool
    dtype = engine.kv_cache_dtype if engine.kv_cache_dtype not in (None, "auto") else "bf16"
    if memory.problem:
        return f"does not fit: {memory.problem.truth}"[:LONGEST]
    length = min(TYPICAL_TOKENS, engine.max_model_len)
    resident = min(pool.resident_requests(length), engine.max_num_seqs)
    return (
        f"KV tokens {pool.tokens:,} ({dtype}, block {pool.block_size}), {resident} requests of "
        f"{length:,} tokens at once; free HBM {memory.left_bytes / GIB:.2f} GiB a chip "
        f"({memory.basis})"
    )


def programs(candidate: Candidate) -> str:
    """Returns the line on the programs that a boot without a compile cache compiles."""
    engine, runtime = candidate.engine, candidate.runtime
    buckets = runtime.programs.buckets
    extras = [
        *(["images"] if runtime.multimodal else []),
        *([f"{engine.speculative.method} drafting"] if engine.speculative else []),
        *(["async scheduling"] if runtime.async_scheduling else []),
    ]
    return (
        f"{runtime.programs.total:,} programs, {runtime.programs.backbones} of them whole models, for "
        f"{len(buckets.tokens)} token buckets ({buckets.tokens[0]} to {buckets.tokens[-1]:,}) and "
        f"{len(buckets.requests)} request buckets" + (f"; {', '.join(extras)}" if extras else "")
    )


def cold_start(estimate: ColdStart) -> str:
    """Returns the line on the time to the first answer, and on the deadline of the boot."""
    return (
        f"first boot {duration(estimate.cold_seconds)}, {duration(estimate.warm_seconds)} with image and "
        f"compile cache in place ({estimate.basis}); given up after {duration(estimate.budget_seconds)}"
    )


def compile_cache(fingerprint: Fingerprint, *, outlives_pod: bool) -> str:
    """Returns the line with the cache's name. A changed name means that the first boot is cold."""
    if outlives_pod:
        return f"{fingerprint.digest}: while this name stays, a boot finds its programs compiled"
    return (
        f"{fingerprint.digest}: kept in the pod; a restart in it finds its programs compiled, a new pod none"
    )


def cost(accelerator: Accelerator, region: str, provisioning: Provisioning, today: date) -> str:
    """Returns the line with US dollars for an hour and a month, or the reason why there is no price."""
    if accelerator.is_stand_in:
        return f"nothing: {accelerator.name} is your own machine"
    try:
        price = prices.cost(accelerator, region, provisioning, today)
    except ValueError as reason:
        return str(reason)
    return (
        f"${price.dollars_per_hour:.2f} an hour, ${price.dollars_per_month:,.0f} a month of "
        f"{prices.HOURS_PER_MONTH} hours ({provisioning}, {region}, price read {price.price.read})"
    )
