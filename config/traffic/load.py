"""Loads: when requests come, and how long they are. Pure; the same seed gives the same requests."""

import math
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

SEED = 20_261_022

FEWEST_REQUESTS = 8
REQUESTS_EACH = 2
"""Requests for each simultaneous one where a load names no number, as in load_test/ladders.py."""
RATE_SECONDS = 120
"""Seconds of arrivals where a load with a rate names no number of requests."""

VOCABULARY = 200_000
"""Token ids below it are ordinary text. Only their equality counts: equal beginnings share cached pages."""


@dataclass(frozen=True)
class Length:
    """A distribution of lengths in tokens: `fixed` (low), `uniform` (low to high), or `lognormal`.

    A lognormal one has the median `low`, and `spread` is the standard deviation of its logarithm; longer ones
    than `high` are cut.
    """

    kind: Literal["fixed", "uniform", "lognormal"]
    low: int
    high: int
    spread: float = 0.0

    def draw(self, chance: random.Random) -> int:
        """Returns one length."""
        match self.kind:
            case "fixed":
                return self.low
            case "uniform":
                return chance.randint(self.low, self.high)
            case "lognormal":
                return min(self.high, max(1, round(chance.lognormvariate(math.log(self.low), self.spread))))


@dataclass(frozen=True)
class Load:
    """Requests with these lengths: `concurrency` at any time, or `rate` a second. Exactly one is set.

    With a rate, the times between requests are exponential (a Poisson process) at `burstiness` 1, and more
    uneven below it (a gamma distribution, as in `vllm bench serve`). `shared_prefix` is the share of each
    prompt that is the same in all.
    """

    prompt: Length
    answer: Length
    requests: int
    concurrency: int | None = None
    rate: float | None = None
    burstiness: float = 1.0
    shared_prefix: float = 0.0

    @property
    def longest(self) -> int:
        """Returns the tokens of the longest possible request, prompt and answer together."""
        return self.prompt.high + self.answer.high

    def draw(self, seed: int = SEED) -> Iterator["Request"]:
        """Yields the requests in order, with the seconds at which they come if the load has a rate."""
        chance = random.Random(seed)
        at = 0.0
        for number in range(self.requests):
            prompt = self.prompt.draw(chance)
            answer = self.answer.draw(chance)
            if self.rate is not None and number:
                at += chance.gammavariate(self.burstiness, 1 / (self.rate * self.burstiness))
            yield Request(number, prompt, answer, round(prompt * self.shared_prefix), at)


@dataclass(frozen=True)
class Request:
    """One request: lengths in tokens; `shared` tokens at its beginning are those of every request."""

    number: int
    prompt: int
    answer: int
    shared: int
    at: float
    """Seconds after the start; 0 for a load with a concurrency."""

    def tokens(self) -> list[int]:
        """Returns token ids of the prompt, which only this request has after the shared beginning."""
        first = VOCABULARY + self.number * 2_000_000
        return [*range(self.shared), *range(first, first + self.prompt - self.shared)]


def requests_for_rate(rate: float) -> int:
    """Returns the number of requests of a load with `rate` requests a second that names none."""
    return max(FEWEST_REQUESTS, math.ceil(RATE_SECONDS * rate))


FORM = (
    "write for example 'concurrency=64 prompt=2048 answer=128', 'rate=4 prompt=lognormal:900:0.8:8192 "
    "answer=uniform:50:400 prefix=0.5 burstiness=0.5 requests=500'"
)
_WORDS = ("concurrency", "rate", "prompt", "answer", "requests", "prefix", "burstiness")


def parse(text: str) -> Load:
    """Returns the load of words NAME=VALUE. Raises ValueError, one sentence, for a mistake."""
    given: dict[str, str] = {}
    for word in text.split():
        name, equals, value = word.partition("=")
        if not equals or name not in _WORDS or name in given:
            raise ValueError(f"{word!r} in LOAD is none of {', '.join(_WORDS)}, each once: {FORM}.")
        given[name] = value
    missing = [name for name in ("prompt", "answer") if name not in given]
    if missing or ("concurrency" in given) == ("rate" in given):
        raise ValueError(f"LOAD needs prompt, answer, and either concurrency or rate: {FORM}.")
    concurrency = _whole("concurrency", given["concurrency"]) if "concurrency" in given else None
    rate = _number("rate", given["rate"]) if "rate" in given else None
    requests = (
        _whole("requests", given["requests"])
        if "requests" in given
        else requests_for_rate(rate)
        if rate is not None
        else max(FEWEST_REQUESTS, REQUESTS_EACH * (concurrency or 0))
    )
    prefix = _number("prefix", given.get("prefix", "0"), zero=True)
    if prefix > 1:
        raise ValueError(f"prefix={given['prefix']} is not a share: choose a number from 0 to 1.")
    return Load(
        prompt=_length("prompt", given["prompt"]),
        answer=_length("answer", given["answer"]),
        requests=requests,
        concurrency=concurrency,
        rate=rate,
        burstiness=_number("burstiness", given.get("burstiness", "1")),
        shared_prefix=prefix,
    )


def _whole(name: str, text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,6}", text):
        raise ValueError(f"{name}={text} is not a whole number from 1: {FORM}.")
    return int(text)


def _number(name: str, text: str, *, zero: bool = False) -> float:
    if not re.fullmatch(r"\d{1,6}(\.\d+)?", text) or (float(text) == 0 and not zero):
        raise ValueError(f"{name}={text} is not a number above 0: {FORM}.")
    return float(text)


def _length(name: str, text: str) -> Length:
    kind, *parts = text.split(":")
    if not parts:
        tokens = _whole(name, kind)
        return Length("fixed", tokens, tokens)
    match kind, parts:
        case "uniform", [low, high] if _whole(name, low) <= _whole(name, high):
            return Length("uniform", int(low), int(high))
        case "lognormal", [median, spread, high] if _whole(name, median) <= _whole(name, high):
            return Length("lognormal", int(median), int(high), _number(name, spread))
        case _:
            raise ValueError(
                f"{name}={text} is no length: a number, uniform:LOW:HIGH, or lognormal:MEDIAN:SPREAD:LONGEST."
            )
