"""Prompts of an exact number of tokens that no server has seen before.

vLLM's random data set begins each prompt at one of the tokenizer's tokens and goes on with the tokens that
follow it (RandomDataset in vllm/benchmarks/datasets/datasets.py, 0.32). With 262,144 tokens, two of 2,048
prompts often begin equally, and the prefix cache then answers one of them. Here every token is random.
"""

import importlib
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

ATTEMPTS = 40
"""Corrections of one prompt. A decoded text may have other tokens than it was made from."""


class Tokenizer(Protocol):
    """Tokenizer of the served model."""

    ordinary: Sequence[int]
    """Token ids that stand for text. Others stand for images, turns or nothing."""

    def text(self, ids: Sequence[int]) -> str:
        """Returns the text of some tokens."""
        ...

    def ids(self, text: str, *, as_prompt: bool) -> list[int]:
        """Returns the tokens of a text; `as_prompt` with those that a server adds."""
        ...


class ModelTokenizer:
    """Tokenizer in the file `tokenizer.json` of a model's folder."""

    def __init__(self, folder: Path) -> None:
        # Imported here: only the server's image has it.
        library: Any = importlib.import_module("tokenizers")
        self._file = library.Tokenizer.from_file(str(folder / "tokenizer.json"))
        added = set(self._file.get_added_tokens_decoder())
        size = self._file.get_vocab_size(with_added_tokens=True)
        self.ordinary: Sequence[int] = [number for number in range(size) if number not in added]

    def text(self, ids: Sequence[int]) -> str:
        """Returns the text of some tokens."""
        return self._file.decode(list(ids), skip_special_tokens=False)

    def ids(self, text: str, *, as_prompt: bool) -> list[int]:
        """Returns the tokens of a text; `as_prompt` with those that a server adds."""
        return self._file.encode(text, add_special_tokens=as_prompt).ids


def fresh(tokenizer: Tokenizer, count: int, tokens: int, seed: int) -> list[str]:
    """Returns `count` prompts of `tokens` random tokens each; the same seed gives the same prompts.

    Raises ValueError when the tokenizer allows no such prompt.
    """
    drawn = _Draw(tokenizer, random.Random(seed))
    return [_prompt(tokenizer, tokens, drawn) for _ in range(count)]


class _Draw:
    """Source of random tokens that stay themselves when their text is read again, unlike half a character."""

    def __init__(self, tokenizer: Tokenizer, source: random.Random) -> None:
        self._tokenizer, self._source = tokenizer, source
        self._stable: dict[int, bool] = {}

    def ids(self, count: int) -> list[int]:
        """Returns `count` tokens."""
        drawn = list[int]()
        while len(drawn) < count:
            number = self._source.choice(self._tokenizer.ordinary)
            if number not in self._stable:
                text = self._tokenizer.text([number])
                self._stable[number] = self._tokenizer.ids(text, as_prompt=False) == [number]
            if self._stable[number]:
                drawn.append(number)
        return drawn


def _prompt(tokenizer: Tokenizer, tokens: int, drawn: _Draw) -> str:
    """Returns one prompt. Neighbors may merge into one token, so the text is corrected until it fits."""
    ids = drawn.ids(tokens)
    for _ in range(ATTEMPTS):
        text = tokenizer.text(ids)
        excess = len(tokenizer.ids(text, as_prompt=True)) - tokens
        if excess == 0:
            return text
        ids = tokenizer.ids(text, as_prompt=False)
        ids = ids[: len(ids) - excess] if excess > 0 else ids + drawn.ids(-excess)
        if not ids:
            break
    raise ValueError(f"the tokenizer makes no prompt of {tokens} tokens; use a ladder with longer prompts")
