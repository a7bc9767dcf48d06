"""Effects of a proof on an engine: the numbers, their sources, and two findings."""

from config.selection import from_phase, from_stack
from proof.report import UTILIZATIONS, budgets
from serving.compilation import proofs
from serving.compilation.candidate import Candidate
from serving.compilation.proof import Proof
from serving.engine.phases import PHASES
from serving.findings import findings
from serving.memory.budget import budget
from serving.memory.weights import groups
from serving.messages.units import GIB, MIB
from stacks import output_lines
from tests.inventory.recorder import REPOSITORY
from tests.unit.serving.proved import program, proved
from tests.unit.serving.strategies import GEMMA, V6E_4, engine

BACKBONE = program("backbone", code_bytes=256 * MIB, peak_bytes=GIB // 2)


def as_the_formula_has_it(**changes: object) -> Proof:
    weights = {group.name: group.bytes for group in groups(GEMMA, engine())}
    made = proved(BACKBONE).model_copy(update={"weights": weights, **changes})
    kv = budget(Candidate(V6E_4, GEMMA, engine(), made)).kv_bytes
    return made.model_copy(update={"kv_bytes": kv, **changes})


def sentences(proof: Proof, code: str) -> list[str]:
    found = findings(Candidate(V6E_4, GEMMA, engine(), proof))
    return [str(finding) for finding in found if finding.code == code]


def test_the_capacity_says_what_was_compiled_and_when() -> None:
    proof = as_the_formula_has_it()
    capacity = output_lines.kv_capacity(budget(Candidate(V6E_4, GEMMA, engine(), proof)), engine())
    assert capacity.endswith("GiB a chip (compiled 2026-11-27, vllm-tpu 0.32.0)")
    assert len(capacity) <= output_lines.LONGEST


def test_formula_and_compiler_apart_by_more_than_a_hundredth() -> None:
    assert sentences(as_the_formula_has_it(), "formula-and-compiler") == []
    weights = as_the_formula_has_it().weights
    barely = {**weights, "experts": weights["experts"] + sum(weights.values()) // 101}
    assert sentences(as_the_formula_has_it(weights=barely), "formula-and-compiler") == []
    heavier = {**weights, "experts": weights["experts"] + sum(weights.values()) // 90}
    (sentence,) = sentences(as_the_formula_has_it(weights=heavier), "formula-and-compiler")
    assert sentence.startswith(
        "weights, compiled 2026-11-27, vllm-tpu 0.32.0: the formula has 15.29 GiB a chip"
    )
    assert "and the compiler 15.46; nothing has to be changed" in sentence
    (sentence,) = sentences(as_the_formula_has_it(kv_bytes=GIB), "formula-and-compiler")
    assert sentence.startswith(
        "KV cache, compiled 2026-11-27, vllm-tpu 0.32.0: the formula has 12.83 GiB a chip"
    )


def test_a_program_that_the_compiler_refuses_is_an_error() -> None:
    proof = as_the_formula_has_it(refused=("backbone (num_tokens=1024): NotImplementedError: no gather.",))
    assert sentences(proof, "compiler-refuses") == [
        "this engine was compiled 2026-11-27, vllm-tpu 0.32.0: the slice's own compiler refuses 1 of its "
        "programs, the first backbone (num_tokens=1024): NotImplementedError: no gather; change the "
        "setting that this program comes from, and prove the engine again with `make prove`."
    ]


def test_committed_proofs_are_of_engines_that_exist() -> None:
    pages = (REPOSITORY / "docs" / "proof.md").read_text("utf-8")
    for file in proofs.FOLDER.glob("*.json"):
        proof = Proof.model_validate_json(file.read_bytes())
        if (REPOSITORY / f"Pulumi.{proof.name}.yaml").is_file() and proof.name not in PHASES:
            assert from_stack(proof.name, REPOSITORY).proved.proof == proof
            continue
        assert " " not in proof.name, f"{file.name} has fields of its own; commit phases, scenarios, stacks"
        phase, _, scenario = proof.name.partition("+")
        selection = from_phase(proof.name, phase=phase, scenario=scenario or None)
        assert selection.proved.proof == proof, f"{file.name} is of an engine that {proof.name} no longer is"
        left = [found.left_bytes / GIB for share, found in budgets(selection, proof) if share in UTILIZATIONS]
        tokens = budget(selection.proved).pool.tokens
        row = (
            f"| {proof.name} | [{file.stem}](../proof/results/{file.stem}.svg) | {len(proof.programs)} "
            f"| {tokens:,} at {selection.candidate.engine.gpu_memory_utilization:g} "
            f"| {'; '.join(f'{size:.2f}' for size in left)} |"
        )
        assert row in pages, row
