"""A proof for people: what stands on each chip, the verdict, and what each kind of program takes."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from config.selection import Selection
from proof.roofline import bound
from serving.compilation.proof import Program, Proof
from serving.memory.budget import budget
from serving.memory.terms import Memory
from serving.messages.units import GIB, MIB, gib

UTILISATIONS = (0.90, 0.92, 0.95)
"""Shares of HBM that the report compares beside the one that was asked for."""


def budgets(selection: Selection, proof: Proof) -> list[tuple[float, Memory]]:
    """The budget at the asked share of HBM and at UTILISATIONS, in rising order, from the proof's sizes."""
    shares = sorted({*UTILISATIONS, selection.candidate.engine.gpu_memory_utilization})
    proved = replace(selection.candidate, proof=proof)
    return [(share, budget(proved.with_fields(gpu_memory_utilization=share))) for share in shares]


def fits(selection: Selection, proof: Proof) -> bool:
    """Whether all that was compiled runs in what a chip has."""
    found = budget(replace(selection.candidate, proof=proof))
    return not proof.refused and found.problem is None


def verdict(selection: Selection, proof: Proof) -> str:
    """One sentence: whether it fits, and by how much."""
    found = budget(replace(selection.candidate, proof=proof))
    if proof.refused:
        return (
            f"It does not run: the compiler refuses {len(proof.refused)} programs, the first "
            f"{proof.refused[0]}"
        )
    if found.problem is not None:
        return f"It does not fit: {found.problem}"
    return (
        f"It fits: {found.pool.tokens:,} tokens of KV cache, and {gib(found.left_bytes)} of each "
        "chip are left for what no compiler sees."
    )


def table(selection: Selection, proof: Proof) -> str:
    """The whole report as text."""
    candidate = selection.candidate
    lines = [f"{selection.name}: {candidate.model.name} on {candidate.accelerator.name}, {proof.source}", ""]
    lines += [*_chip(selection, proof), "", *_shares(selection, proof), "", *_kinds(proof), ""]
    lines += [*_steps(selection, proof), ""]
    lines += [f"refused: {reason}" for reason in proof.refused]
    return "\n".join([*lines, verdict(selection, proof)])


def _chip(selection: Selection, proof: Proof) -> Iterator[str]:
    found = budget(replace(selection.candidate, proof=proof))
    yield f"each chip, at {selection.candidate.engine.gpu_memory_utilization:g}"
    for name, size in parts(found):
        yield f"  {name:<58}{size / GIB:>9.3f} GiB"
    yield f"  {'usable':<58}{found.hbm_bytes / GIB:>9.3f} GiB"


def parts(found: Memory) -> list[tuple[str, int]]:
    """The terms of a chip's HBM in the order in which they stand on each other, with what is left."""
    largest = max(found.temporaries, key=lambda temporary: temporary.bytes)
    return [
        *((f"weights: {group.name}", group.bytes) for group in found.weights),
        ("KV cache", found.kv_bytes),
        ("code of all programs", found.code_bytes),
        (largest.name, largest.bytes),
        ("left", found.left_bytes),
    ]


def _shares(selection: Selection, proof: Proof) -> Iterator[str]:
    yield "share of HBM   KV tokens   free beside weights and KV   left after programs"
    for share, found in budgets(selection, proof):
        yield (
            f"{share:>12g}{found.pool.tokens:>12,}{found.free_bytes / GIB:>25.2f} GiB"
            f"{found.left_bytes / GIB:>18.2f} GiB"
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
    """The programs that take time when a request is served, and what each step waits for at best."""
    yield f"{'step':<47}{'needs MiB':>10}{'GFLOP':>9}{'counted GB':>11}  at least, every expert read"
    shown: dict[str, Program] = {}
    for program in proof.programs:
        if program.kind.startswith("backbone"):
            shown[f"{program.kind} {program.shape}"] = program
        elif program.kind not in shown or program.flops > shown[program.kind].flops:
            shown[program.kind] = program
    for name, program in shown.items():
        if roof := bound(program, selection.candidate.accelerator, proof.weights):
            yield (
                f"{_shortened(name):<47}{program.needed_bytes / MIB:>10.1f}{program.flops / 1e9:>9,.0f}"
                f"{program.hbm_bytes / 1e9:>11.2f}  {roof.seconds * 1000:.2f} ms, {roof.by}"
            )


def _shortened(kind: str) -> str:
    return kind.replace("select_from_array ", "").replace(" for spec decoding", "")
