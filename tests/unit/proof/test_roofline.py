"""The roofline: hand-checked bounds, and a step that others measured."""

import pytest

from config.selection import from_phase
from proof.roofline import bound
from serving.messages.units import GIB, MIB
from serving.models.measured_throughput import measured
from serving.models.spec import Experts
from tests.unit.serving.proved import program
from tests.unit.serving.strategies import GEMMA, STAND_IN, V6E_4

WEIGHTS = {"experts": 16_000 * 10**6, "attention": 380 * 10**6, "vision": 1_638 * 10**6, "embedding": 10**9}
"""Experts and attention are bytes that v6e reads in 10 ms, the tower's in one."""

BACKBONE = program("backbone", code_bytes=256 * MIB, peak_bytes=GIB // 2)


def test_roofline() -> None:
    arithmetic = bound(BACKBONE, V6E_4, WEIGHTS, None)
    assert arithmetic is not None
    assert (arithmetic.seconds, arithmetic.by) == (0.001, "arithmetic")
    moving = bound(BACKBONE.model_copy(update={"hbm_bytes": 3276 * 10**6}), V6E_4, WEIGHTS, None)
    assert moving is not None
    assert (moving.seconds, moving.by) == (0.002, "HBM")
    # Nothing moves more than its weights and its arguments once, whatever the compiler counts.
    counted = BACKBONE.model_copy(update={"hbm_bytes": 138 * 10**9, "argument_bytes": 1_638 * 10**6})
    capped = bound(counted, V6E_4, WEIGHTS, None)
    assert capped is not None
    assert (round(capped.seconds, 6), capped.by) == (0.011, "HBM")
    tower = bound(counted.model_copy(update={"kind": "mm_encoder_jit"}), V6E_4, WEIGHTS, None)
    assert tower is not None and round(tower.seconds, 6) == 0.002
    assert bound(BACKBONE, STAND_IN, WEIGHTS, None) is None
    assert bound(BACKBONE.model_copy(update={"flops": 0}), V6E_4, WEIGHTS, None) is None


@pytest.mark.parametrize(("tokens", "share"), [(1, 1 / 16), (2, 31 / 256), (16, 0.6439), (4096, 1)])
def test_a_step_reads_the_experts_that_its_tokens_hit(tokens: int, share: float) -> None:
    """16 tokens, each sent to 8 of 128 experts, hit 82 of them."""
    step = BACKBONE.model_copy(
        update={"shape": f"num_tokens={tokens} num_reqs=16", "hbm_bytes": 138 * 10**9, "flops": 1}
    )
    found = bound(step, V6E_4, {"experts": 1_638 * 10**6}, GEMMA.experts)
    assert found is not None
    assert found.seconds == pytest.approx(share / 1000, rel=1e-4)


def test_a_program_without_tokens_reads_all() -> None:
    step = BACKBONE.model_copy(update={"shape": "num_reqs=16", "hbm_bytes": 138 * 10**9, "flops": 1})
    found = bound(step, V6E_4, {"experts": 1_638 * 10**6}, Experts(count=128, per_token=8, intermediate=704))
    assert found is not None and found.seconds == pytest.approx(0.001)


def test_at_least_is_below_the_step_that_was_measured() -> None:
    """16 requests of the 26B on a v6e-4 took 8.07 ms a step."""
    (row,) = measured(GEMMA.name, V6E_4.name)
    (cell,) = row.cells
    seconds = cell.concurrency / cell.output_tokens_per_second
    assert seconds == pytest.approx(0.00807, abs=0.00001)
    proof = from_phase("tuned", phase="tuned").proved.proof
    assert proof is not None
    (step,) = (
        each for each in proof.programs if each.kind == "backbone" and each.shape.startswith("num_tokens=16 ")
    )
    found = bound(step, V6E_4, proof.weights, GEMMA.experts)
    assert found is not None
    # The rest is attention, the other programs of a step, and the host.
    assert 0.75 * seconds < found.seconds < seconds
