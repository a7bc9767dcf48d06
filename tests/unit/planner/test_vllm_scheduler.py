"""Flags that the planner gives to vLLM's scheduler, without vLLM."""

import pytest

from config.selection import from_phase
from planner.vllm_scheduler import _SCHEDULING, scheduling_words
from serving.engine.flag_verdicts import EXTRA, REFUSED
from serving.engine.server_flags import server_flags

BY_FLAG = {known.flag: name for name, known in server_flags().items()}


@pytest.mark.parametrize("flag", _SCHEDULING)
def test_every_flag_exists_and_may_be_set(flag: str) -> None:
    assert BY_FLAG[flag] not in REFUSED


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_num_active_seqs", 8),
        ("long_prefill_token_threshold", 64),
        ("scheduler_reserve_full_isl", True),
        ("watermark", 0.25),
        ("prefix_caching_hash_algo", "sha256_cbor"),
    ],
)
def test_another_flag_of_the_scheduler_reaches_it(name: str, value: object) -> None:
    assert name in EXTRA
    candidate = from_phase("tuned", phase="tuned", engine={"extra_flags": {name: value}}).candidate
    words = scheduling_words(candidate)
    flag = server_flags()[name].flag
    assert flag in words and (value is True or words[words.index(flag) + 1] == str(value))
