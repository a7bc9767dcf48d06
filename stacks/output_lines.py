"""Lines of the stack's outputs, so that the diff of an ordinary preview shows the effect of a change.

A line has at most LONGEST characters. It has the numbers that a change affects, and their source.
"""

from collections.abc import Sequence

from serving.compilation.candidate import Candidate
from serving.compilation.fingerprint import Fingerprint
from serving.deploy.acceptance_checks import WITHOUT, Check
from serving.engine.config import EngineConfig
from serving.findings.memory import TYPICAL_TOKENS
from serving.memory.terms import Memory
from serving.messages.units import GIB, duration, span
from serving.startup.cold_start import ColdStart

LONGEST = 160
"""Characters of the longest line."""


def kv_capacity(memory: Memory, engine: EngineConfig) -> str:
    """Returns the line on the KV cache: its tokens, the requests that fit at once, and the free HBM."""
    pool = memory.pool
    dtype = engine.kv_cache_dtype if engine.kv_cache_dtype not in (None, "auto") else "bf16"
    if memory.problem:
        return f"does not fit: {memory.problem.truth}"[:LONGEST]
    if not memory.modeled:
        return (
            f"KV tokens {pool.tokens:,} ({dtype}, block {pool.block_size}) if it fits, which is not modeled"
        )
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
    cold, warm = estimate.cold, estimate.warm
    return (
        f"first boot {span(cold.low, cold.high)}, {span(warm.low, warm.high)} with image and compile cache "
        f"in place ({estimate.basis}); given up after {duration(estimate.budget_seconds)}"
    )


def compile_cache(fingerprint: Fingerprint) -> str:
    """Returns the line with the cache's name. A changed name means that the first boot is cold."""
    return f"{fingerprint.digest}: while this name stays, a boot finds its programs compiled"


def rollout(servers: int, surge: int, together: int, estimate: ColdStart) -> str:
    """Returns the line on the servers that answer while a release replaces them, up to `together` at a time.

    A server boots on a node that exists, without a compile cache: a release may need other programs.
    """
    boot, restart = estimate.without("node"), estimate.without("node", "image")
    image, flags = span(boot.low, boot.high), span(restart.low, restart.high)
    if servers <= together and not surge:
        return (
            f"no server answers for {flags} at each release, {image} with another image; "
            f"replicas {together + 1}, or rollout.surge 1 with {_spare(servers)}, avoids it"
        )
    at_once = min(servers, together)
    each = f"{flags} each, {image} with another image"
    if surge:
        started = "each server" if at_once == 1 else f"{at_once} servers"
        first = f"a release starts {started} on {_spare(at_once)} first"
        return f"{first}: {servers} of {servers} serve meanwhile; {each}"
    replaced, left = "one server" if at_once == 1 else f"{at_once} servers", servers - at_once
    return f"a release replaces {replaced} at a time: {left} of {servers} serve meanwhile; {each}"


def _spare(slices: int) -> str:
    return "a spare slice" if slices == 1 else f"{slices} spare slices"


def acceptance(off: Sequence[Check]) -> list[str]:
    """Returns a line for each check that is switched off, with its consequence, or one line if all are on."""
    if not off:
        return [f"a server gets traffic after {len(WITHOUT)} checks"]
    return [f"without the check {check}: {WITHOUT[check]}" for check in off]
