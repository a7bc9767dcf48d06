"""One line each for the stack's outputs, so that the diff of an ordinary preview says what a change will do.

A line is short (LONGEST characters), has the numbers that a change moves, and names where they come from.
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


def capacity(memory: Memory, engine: EngineConfig) -> str:
    """KV cache, the requests that it holds at once, and the HBM that is left."""
    pool = memory.pool
    stored = engine.kv_cache_dtype if engine.kv_cache_dtype not in (None, "auto") else "bf16"
    if memory.problem:
        return f"does not fit: {memory.problem.truth}"[:LONGEST]
    length = min(TYPICAL_TOKENS, engine.max_model_len)
    resident = min(pool.resident_requests(length), engine.max_num_seqs)
    return (
        f"KV tokens {pool.tokens:,} ({stored}, block {pool.block_size}), {resident} requests of "
        f"{length:,} tokens at once; free HBM {memory.left_bytes / GIB:.2f} GiB a chip "
        f"({memory.basis})"
    )


def programs(candidate: Candidate) -> str:
    """Returns the programs that a boot without a cache compiles."""
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
    """Time to the first answer, and when the workload gives up."""
    return (
        f"first boot {duration(estimate.cold_seconds)}, {duration(estimate.warm_seconds)} with image and "
        f"compile cache in place ({estimate.basis}); given up after {duration(estimate.budget_seconds)}"
    )


def compile_cache(fingerprint: Fingerprint, *, outlives_pod: bool) -> str:
    """The cache's name; a preview in which it changes means a cold first boot."""
    if outlives_pod:
        return f"{fingerprint.digest}: while this name stays, a boot finds its programs compiled"
    return (
        f"{fingerprint.digest}: kept in the pod; a restart in it finds its programs compiled, a new pod none"
    )


def cost(accelerator: Accelerator, region: str, provisioning: Provisioning, today: date) -> str:
    """Dollars an hour and a month, or why there is no price."""
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
