"""Buckets and program counts: hand-checked values and what must always hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.compilation import buckets
from serving.compilation.resolved_config import min_page_size, page_size, resolve
from tests.unit.serving.strategies import GEMMA, TINY, engine, engines

DOUBLING = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)


@pytest.mark.parametrize(
    ("budget", "gap", "expected"),
    [
        (4096, 0, DOUBLING),
        (4096, 512, (*DOUBLING[:6], 1024, 1536, 2048, 2560, 3072, 3584, 4096)),
        # The budget is a bucket, and the next power of two is not.
        (2496, 0, (*DOUBLING[:8], 2496)),
        (4096, 8192, DOUBLING),
        (100, 0, (16, 32, 64, 112)),
        (128, 16, (16, 32, 48, 64, 80, 96, 112, 128)),
        (128, 32, (16, 32, 64, 96, 128)),
    ],
)
def test_token_buckets(budget: int, gap: int, expected: tuple[int, ...]) -> None:
    assert buckets.token_buckets(budget, gap) == expected


def test_extra_sizes_stay_even_above_the_budget() -> None:
    assert buckets.token_buckets(64, extra=(48, 300)) == (16, 32, 48, 64, 300)


@pytest.mark.parametrize(
    ("seqs", "expected"),
    [(4, (8,)), (8, (8,)), (12, (8, 12)), (256, (8, 16, 32, 64, 128, 256)), (100, (8, 16, 32, 64, 100))],
)
def test_request_buckets(seqs: int, expected: tuple[int, ...]) -> None:
    assert buckets.request_buckets(seqs) == expected


@given(st.integers(1, 70_000), st.integers(0, 9000), st.sampled_from([1, 2, 4, 16, 64]))
def test_every_step_has_a_bucket(budget: int, gap: int, smallest: int) -> None:
    ladder = buckets.token_buckets(budget, gap, smallest=smallest)
    assert list(ladder) == sorted(set(ladder))
    assert budget <= ladder[-1] < budget + smallest


@pytest.mark.parametrize(
    ("fields", "total", "backbones"),
    [
        # 193 and 643 without the six structured_decode programs of each.
        ({}, 199, 18),
        (
            {
                "bucket_padding_gap": 512,
                "speculative": {"method": "ngram", "num_speculative_tokens": 3},
            },
            649,
            26,
        ),
        ({"limit_mm_per_prompt": {}}, 172, 9),
        # The text programs that were compiled for v6e: all but the two kinds of a running server.
        ({"limit_mm_per_prompt": {}, "async_scheduling": False}, 102, 9),
        ({"bucket_padding_gap": 64}, 1178, 132),
        ({"vision_programs": {"token_budgets": (280, 1120), "images_per_call": 4}}, 201, 18),
    ],
)
def test_totals(fields: dict[str, object], total: int, backbones: int) -> None:
    found = resolve(GEMMA, engine(**fields)).programs
    assert (found.total, found.backbones) == (total, backbones)


@pytest.mark.parametrize(("gap", "lines"), [(0, 29), (16, 49), (32, 34)])
def test_the_first_local_boots(gap: int, lines: int) -> None:
    """Counted in boots on the CPU backend: text, 256 tokens, 8 requests, 128 batched tokens."""
    config = engine(
        max_model_len=256, max_num_seqs=8, max_num_batched_tokens=128, bucket_padding_gap=gap,
        limit_mm_per_prompt={},
    )  # fmt: skip
    assert resolve(TINY, config).programs.total == lines


@given(engines())
def test_drafting_only_adds(config: object) -> None:
    with_drafts = resolve(GEMMA, config)  # type: ignore[arg-type]
    without = resolve(GEMMA, config.model_copy(update={"speculative": None, "async_scheduling": False}))  # type: ignore[attr-defined]
    assert with_drafts.programs.total >= without.programs.total
    assert with_drafts.programs.backbones == without.programs.backbones


@pytest.mark.parametrize(
    ("length", "seqs", "automatic"),
    [
        (16_384, 256, 32), (16_384, 512, 64), (16_384, 128, 16), (32_768, 256, 64), (65_536, 256, 128),
        (8192, 256, 256), (4096, 256, 256), (2048, 16, 128), (1024, 8, 64), (200, 8, 16),
    ],
)  # fmt: skip
def test_automatic_block_size(length: int, seqs: int, automatic: int) -> None:
    assert max(page_size(length), min_page_size(length, seqs)) == automatic
    found = resolve(GEMMA, engine(max_model_len=length, max_num_seqs=seqs))
    assert found.block_size == automatic
    assert found.block_table_fits


def test_an_explicit_block_size_can_break_the_rule() -> None:
    found = resolve(GEMMA, engine(max_num_seqs=512, block_size=32))
    assert (found.block_table_bytes, found.smallest_block_size) == (1024 * 1024, 64)
    assert not found.block_table_fits


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, True),
        ({"async_scheduling": False}, False),
        ({"speculative": {"method": "ngram", "num_speculative_tokens": 3}}, False),
    ],
)
def test_async_scheduling_as_the_server_chooses(fields: dict[str, object], expected: bool) -> None:
    assert resolve(GEMMA, engine(**fields)).async_scheduling is expected


@pytest.mark.parametrize(
    ("limits", "expected"), [(None, True), ({}, False), ({"image": 1}, True), ({"video": 1}, True)]
)
def test_images_are_off_only_when_every_limit_is_zero(limits: object, expected: bool) -> None:
    assert resolve(GEMMA, engine(limit_mm_per_prompt=limits)).multimodal is expected


def test_sentences() -> None:
    with pytest.raises(ValueError, match=r"max_num_seqs is 200,000: .*131,072 or less"):
        min_page_size(16_384, 200_000)
