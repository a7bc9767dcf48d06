"""Ladders: the recipe's points, the requests of a cell, and asks that no server could take."""

from dataclasses import replace

import pytest

from load_test.ladders import FIXED, Ladder, Limits, choose

PROD = Limits(max_model_len=16384, max_num_seqs=256)
ACCEPTANCE = Ladder("gate", "the ladder of acceptance", (1, 4, 16), (1024,), 64)
LOCAL = Limits(max_model_len=1024, max_num_seqs=8)


def test_the_seed_ladder_is_1_to_256_at_2048_tokens() -> None:
    cells = FIXED["seed"].cells
    assert [cell.concurrency for cell in cells] == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert {cell.prompt_tokens for cell in cells} == {2048}


def test_the_grid_has_144_points_up_to_2048_requests() -> None:
    cells = FIXED["grid"].cells
    assert len({(cell.concurrency, cell.prompt_tokens) for cell in cells}) == len(cells) == 144
    assert (min(cell.concurrency for cell in cells), max(cell.concurrency for cell in cells)) == (1, 2048)
    assert 2048 in {cell.prompt_tokens for cell in cells}
    assert len({cell.name for cell in cells}) == 144


def test_a_cell_sends_each_place_at_least_two_requests() -> None:
    cells = [cell for ladder in (ACCEPTANCE, *FIXED.values()) for cell in ladder.cells]
    assert all(cell.requests >= max(8, 2 * cell.concurrency) for cell in cells)


def test_the_delivered_servers_take_their_ladders() -> None:
    for name in ("gate", "seed", "grid", "local"):
        assert choose(name, PROD, ACCEPTANCE).name == name
    assert choose("local", LOCAL, ACCEPTANCE).name == "local"


REFUSED = [
    (
        "seed",
        LOCAL,
        "The ladder seed sends prompts of 2,048 tokens and asks for 128 more, and the server's max_model_len "
        "is 1,024: choose LADDER=local, or raise engine.max_model_len to 2,176 or more.",
    ),
    (
        "grid",
        replace(PROD, max_model_len=4096),
        "The ladder grid sends prompts of 4,096 tokens and asks for 128 more, and the server's "
        "max_model_len is 4,096: choose LADDER=gate, LADDER=local or LADDER=seed, or raise "
        "engine.max_model_len to 4,224 or more.",
    ),
    (
        "local",
        replace(LOCAL, max_model_len=64),
        "The ladder local sends prompts of 128 tokens and asks for 16 more, and the server's max_model_len "
        "is 64: raise engine.max_model_len to 144 or more.",
    ),
    (
        "grid",
        replace(PROD, max_num_queued_reqs=512),
        "The ladder grid sends 2,048 requests at once, and the server holds 512 at most "
        "(max_num_queued_reqs): choose LADDER=gate, LADDER=local or LADDER=seed, or raise "
        "engine.max_num_queued_reqs to 2,048 or more.",
    ),
    (
        "seed",
        replace(PROD, max_num_queued_tokens=100_000),
        "The ladder seed sends 524,288 prompt tokens at once, and the server refuses more than 100,000 "
        "(max_num_queued_tokens): choose LADDER=gate or LADDER=local, or raise engine.max_num_queued_tokens "
        "to 524,288 or more.",
    ),
]


@pytest.mark.parametrize(("name", "limits", "sentence"), REFUSED)
def test_a_ladder_beyond_a_limit_is_refused(name: str, limits: Limits, sentence: str) -> None:
    with pytest.raises(ValueError) as refusal:
        choose(name, limits, ACCEPTANCE)
    assert str(refusal.value) == sentence


def test_an_unknown_ladder_is_refused() -> None:
    with pytest.raises(ValueError, match=r"LADDER=sed is not a ladder: choose gate, grid, local or seed\."):
        choose("sed", PROD, ACCEPTANCE)
