"""Report of a proof: the terms of each chip's HBM, the verdict, and the needs of each kind of program."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from config.selection import Selection
from proof.roofline import bound
from serving.compilation.proof import Program, Proof
from serving.memory.budget import budget
from serving.memory.terms import Memory
from serving.messages.units import GIB, MIB, gib

UTILIZATIONS = (0.90, 0.92, 0.95)
"""Values of gpu_memory_utilization that the report shows beside the engine's."""


def budgets(selection: Selection, proof: Proof) -> list[tuple[float, Memory]]:
    """Returns the budgets at the engine's gpu_memory_utilization and at UTILIZATIONS, in rising order.

    Their sizes are the proof's.
    """
    shares = sorted({*UTILIZATIONS, selection.candidate.engine.gpu_memory_utilization})
    proved = replace(selection.candidate, proof=proof)
    return [(share, budget(proved.with_fields(gpu_memory_utilization=share))) for share in shares]


def fits(selection: Selection, proof: Proof) -> bool:
    """Returns whether every program compiles, and fits into a chip's HBM."""
    return not proof.refused and budget(replace(selection.candidate, proof=proof)).problem is None


def verdict(selection: Selection, proof: Proof) -> str:
    """Returns a sentence that says whether the engine fits, and by how much."""
    memory = budget(replace(selection.candidate, proof=proof))
    if proof.refused:
        return (
            f"It does not run: the compiler refuses {len(proof.refused)} programs, the first "
            f"{proof.refused[0]}"
        )
    if memory.problem is not None:
        return f"It does not fit: {memory.problem}"
    return (
        f"It fits: {memory.pool.tokens:,} tokens of KV cache, and {gib(memory.left_bytes)} of each "
        "chip are left for what no compiler sees."
    )


def table(selection: Selection, proof: Proof) -> str:
    """Returns the whole report as text."""
    candidate = selection.candidate
    lines = [f"{selection.name}: {candidate.model.name} on {candidate.accelerator.name}, {proof.source}", ""]
    lines += [*_chip(selection, proof), "", *_shares(selection, proof), "", *_kinds(proof), ""]
    lines += [*_steps(selection, proof), ""]
    lines += [f"refused: {reason}" for reason in proof.refused]
    return "\n".join([*lines, verdict(selection, proof)])


def _chip(selection: Selection, proof: Proof) -> Iterator[str]:
    memory = budget(replace(selection.candidate, proof=proof))
    yield f"each chip, at {selection.candidate.engine.gpu_memory_utilization:g}"
    for name, size in parts(memory):
        yield f"  {name:<58}{size / GIB:>9.3f} GiB"
    yield f"  {'usable':<58}{memory.hbm_bytes / GIB:>9.3f} GiB"


def parts(memory: Memory) -> list[tuple[str, int]]:
    """Returns the terms of a chip's HBM from the bottom of the bar to the top, and the rest."""
    return [
        *((f"weights: {group.name}", group.bytes) for group in memory.weights),
        ("KV cache", memory.kv_bytes),
        ("code of all programs", memory.code_bytes),
        *([(memory.largest.name, memory.largest.bytes)] if memory.largest else []),
        ("left", memory.left_bytes),
    ]


def _shares(selection: Selection, proof: Proof) -> Iterator[str]:
    yield "share of HBM   KV tokens   free beside weights and KV   left after programs"
    for share, memory in budgets(selection, proof):
        yield (
            f"{share:>12g}{memory.pool.tokens:>12,}{memory.free_bytes / GIB:>25.2f} GiB"
            f"{memory.left_bytes / GIB:>18.2f} GiB"
        )


def _kinds(proof: Proof) -> Iterator[str]:
    yield (
        f"{'kind':<47}{'asked':>6}{'built':>6}{'lower s':>9}{'compile s':>10}{'code MiB':>9}{'needs MiB':>10}"
    )
    kinds: dict[str, list[Program]] = {}
    for program in proof.programs:
        kinds.setdefault(program.kind, []).append(program)
    for kind, programs in kinds.items():
        yield _kind(kind, programs)
    yield _kind("all", proof.programs)


def _kind(kind: str, programs: Sequence[Program]) -> str:
    built = sum(program.code_bytes > 0 for program in programs)
    needs = max(program.needed_bytes for program in programs)
    return (
        f"{_shortened(kind):<47}{len(programs):>6}{built:>6}"
        f"{sum(program.lower_seconds for program in programs):>9.1f}"
        f"{sum(program.compile_seconds for program in programs):>10.1f}"
        f"{sum(program.code_bytes for program in programs) / MIB:>9.1f}{needs / MIB:>10.1f}"
    )


def _steps(selection: Selection, proof: Proof) -> Iterator[str]:
    """Yields the programs of a request with the lower bound of their time."""
    yield f"{'step':<47}{'needs MiB':>10}{'GFLOP':>9}{'counted GB':>11}  at least, experts hit evenly"
    shown: dict[str, Program] = {}
    for program in proof.programs:
        if program.kind.startswith("backbone"):
            shown[f"{program.kind} {program.shape}"] = program
        elif program.kind not in shown or program.flops > shown[program.kind].flops:
            shown[program.kind] = program
    for name, program in shown.items():
        candidate = selection.candidate
        if roof := bound(program, candidate.accelerator, proof.weights, candidate.model.experts):
            yield (
                f"{_shortened(name):<47}{program.needed_bytes / MIB:>10.1f}{program.flops / 1e9:>9,.0f}"
                f"{program.hbm_bytes / 1e9:>11.2f}  {roof.seconds * 1000:.2f} ms, {roof.by}"
            )


def _shortened(kind: str) -> str:
    return kind.replace("select_from_array ", "").replace(" for spec decoding", "")
