"""Prompts that no server has seen before, so that no answer comes from the prefix cache."""

import random
import secrets

from agent.sidecar.client import Client, Failed, Tokens

_WORDS = (
    "The old stone bridge over the river was built by people who knew that water rises in spring and that "
    "snow lies in the valley until May. A bird sits on its wall. Below, boats carry wool, salt and iron to "
    "the sea, where large ships wait for the evening tide with their lamps lit. Nobody counts the years."
)


def unique(text: str) -> str:
    """Returns the text behind a number that occurs once."""
    return f"[{secrets.token_hex(8)}] {text}"


class TokenPrompts:
    """Prompts of an exact number of tokens, as token ids for /v1/completions."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._ids: tuple[int, ...] = ()
        self._random = random.SystemRandom()

    async def of(self, tokens: int) -> list[int]:
        """Returns a prompt of ordinary tokens in random order. Raises Failed.

        The ids are those of a text, because the vocabulary also has special tokens, such as those of images.
        """
        if not self._ids:
            asked = {"prompt": _WORDS, "add_special_tokens": False}
            self._ids = tuple(sorted({*(await self._client.ask("/tokenize", asked, Tokens)).tokens}))
            if len(self._ids) < 8:
                raise Failed(f"POST /tokenize finds {len(self._ids)} different tokens in a text of 60 words")
        return self._random.choices(self._ids, k=tokens)
