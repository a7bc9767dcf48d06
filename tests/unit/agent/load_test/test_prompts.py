"""Prompts that are new to the server and have the length that was asked for."""

from collections.abc import Sequence
from typing import ClassVar

import pytest

from agent.load_test.prompts import fresh


class Letters:
    """Tokenizer of single letters, in which `a` and `b` in a row are one token and every prompt begins with
    token 99. Token 3 is half a character."""

    ordinary: Sequence[int] = (0, 1, 2, 3)
    texts: ClassVar = {0: "a", 1: "b", 2: "c", 3: "?", 4: "ab"}

    def text(self, ids: Sequence[int]) -> str:
        return "".join(self.texts[number] for number in ids if number != 99)

    def ids(self, text: str, *, as_prompt: bool) -> list[int]:
        words = text.replace("ab", "x").replace("?", "cc")
        return [*([99] if as_prompt else []), *("abcDx".index(letter) for letter in words)]


@pytest.mark.parametrize("tokens", [2, 7, 300])
def test_every_prompt_has_the_length_with_the_token_that_the_server_adds(tokens: int) -> None:
    tokenizer = Letters()
    prompts = fresh(tokenizer, 40, tokens, seed=1)
    assert {len(tokenizer.ids(prompt, as_prompt=True)) for prompt in prompts} == {tokens}
    assert not any("?" in prompt for prompt in prompts)


def test_another_seed_gives_other_prompts_and_the_same_seed_the_same() -> None:
    first, again, other = (set(fresh(Letters(), 40, 60, seed)) for seed in (1, 1, 2))
    assert first == again and len(first) == 40
    assert not first & other


def test_a_length_that_no_prompt_has_is_refused() -> None:
    with pytest.raises(
        ValueError, match="the tokenizer makes no prompt of 1 tokens; use a ladder with longer"
    ):
        fresh(AddsTwo(), 1, 1, seed=1)


class AddsTwo(Letters):
    """Tokenizer that adds two tokens to every prompt."""

    def ids(self, text: str, *, as_prompt: bool) -> list[int]:
        return [*([98] if as_prompt else []), *super().ids(text, as_prompt=as_prompt)]
