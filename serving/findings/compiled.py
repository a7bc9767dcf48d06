"""Rules about what the compiler said of this engine, where a proof of it exists (proof/)."""

from collections.abc import Iterator
from dataclasses import replace

from serving.compilation.candidate import Candidate, Rule
from serving.memory.budget import budget
from serving.messages.finding import Finding
from serving.messages.units import GIB

TOLERANCE = 0.01
"""Share of the weights, of the KV cache, and of a chip's HBM for programs and buffers, by which formula and
compiler may differ without a remark."""


def refused(candidate: Candidate) -> Iterator[Finding]:
    """Refuses programs that libtpu's own compiler refused (proof/results/)."""
    if candidate.proof and candidate.proof.refused:
        yield candidate.finding(
            "error",
            "compiler-refuses",
            "tensor_parallel_size",
            f"the slice's own compiler refuses {len(candidate.proof.refused)} of its programs, the first "
            f"{candidate.proof.refused[0].rstrip('.')}",
            otherwise="change the setting that this program comes from, and prove the engine again with "
            "`make prove`",
            asked=f"this engine was {candidate.proof.source}",
        )


def formula(candidate: Candidate) -> Iterator[Finding]:
    """Reports where the formulas of serving/memory/ and the compiler differ (proof/results/)."""
    if candidate.proof is None:
        return
    try:
        computed = budget(replace(candidate, proof=None))
        compiled = budget(candidate)
    except ValueError:
        return
    # The same pages on both sides, so that a difference of the weights is not counted twice.
    computed = replace(computed, pool=compiled.pool)
    terms = (
        ("weights", computed.resident_bytes, compiled.resident_bytes, compiled.resident_bytes),
        ("KV cache", compiled.kv_bytes, candidate.proof.kv_bytes, candidate.proof.kv_bytes),
        ("code of all programs", computed.code_bytes, compiled.code_bytes, compiled.hbm_bytes),
        ("largest buffer", computed.largest_bytes, compiled.largest_bytes, compiled.hbm_bytes),
    )
    for name, by_formula, by_compiler, whole in terms:
        if abs(by_formula - by_compiler) > TOLERANCE * whole:
            yield Finding(
                "note",
                "formula-and-compiler",
                "engine",
                f"{name}, {candidate.proof.source}",
                f"the formula has {by_formula / GIB:.2f} GiB a chip and the compiler {by_compiler / GIB:.2f}",
                "nothing has to be changed: the compiler's number is used here, and the formula's only for "
                "engines without a proof",
            )


RULES: tuple[Rule, ...] = (refused, formula)
