"""Loads: when requests come, and how long they are. The same seed gives the same requests."""

import math
import random
import re
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from config.traffic import load_file
from config.traffic.load_file import Recording, Row

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

    @property
    def median(self) -> int:
        """Returns the median of the distribution."""
        return (self.low + self.high) // 2 if self.kind == "uniform" else self.low

    def draw(self, chance: random.Random) -> int:
        """Returns one length."""
        match self.kind:
            case "fixed":
                return self.low
            case "uniform":
                return chance.randint(self.low, self.high)
            case "lognormal":
                # Cut before the exponential, which overflows for a large spread.
                logarithm = chance.normalvariate(math.log(self.low), self.spread)
                return max(1, round(math.exp(min(math.log(self.high), logarithm))))


@dataclass(frozen=True)
class Load:
    """Requests with these lengths: `concurrency` at any time, or `rate` a second. At most one is set.

    With neither, they come at the times of a `recording`, whose lengths are used instead of drawn ones;
    `prompt` and `answer` then have its median and its longest. With a rate, the times between requests are
    exponential (a Poisson process) at `burstiness` 1, and more uneven below it (a gamma distribution, as in
    `vllm bench serve`). `shared_prefix` is the share of each prompt that is the same in all.
    """

    prompt: Length
    answer: Length
    requests: int
    concurrency: int | None = None
    rate: float | None = None
    burstiness: float = 1.0
    shared_prefix: float = 0.0
    images: int = 0
    """Images of each request, beside the tokens of its prompt."""
    recording: Recording | None = None

    @property
    def longest(self) -> int:
        """Returns the tokens of the longest possible request, prompt and answer together, without images."""
        if self.recording is not None:
            return max(row.prompt + row.answer for row in self.recording.rows)
        return self.prompt.high + self.answer.high

    def draw(self, seed: int = SEED) -> Iterator["Request"]:
        """Yields the requests in order, with the seconds at which they come if the load has a rate."""
        chance = random.Random(seed)
        at = 0.0
        for number, row in enumerate(self._rows(chance)):
            if self.rate is not None and number:
                at += chance.gammavariate(self.burstiness, 1 / (self.rate * self.burstiness))
            elif self.rate is None and self.concurrency is None:
                at = row.at or 0.0
            chunk = self.recording.chunk if self.recording else 0
            shared = round(row.prompt * self.shared_prefix)
            yield Request(number, row.prompt, row.answer, shared, at, row.hashes, chunk, self.images)

    def _rows(self, chance: random.Random) -> Iterator[Row]:
        """Yields the lengths of each request."""
        if self.recording is None:
            for _ in range(self.requests):
                yield Row(self.prompt.draw(chance), self.answer.draw(chance))
        elif self.recording.in_order:
            yield from self.recording.rows[: self.requests]
        elif self.requests <= len(self.recording.rows):
            yield from chance.sample(self.recording.rows, self.requests)
        else:
            yield from chance.choices(self.recording.rows, k=self.requests)


@dataclass(frozen=True)
class Request:
    """One request: lengths in tokens; `shared` tokens at its beginning are those of every request."""

    number: int
    prompt: int
    answer: int
    shared: int
    at: float
    """Seconds after the start; 0 for a load with a concurrency."""
    hashes: tuple[int, ...] = ()
    chunk: int = 0
    """Tokens of each hash: equal hashes are equal tokens, if both chunks are whole or equally long."""
    images: int = 0
    """Images after the shared beginning, each unlike any other."""

    def tokens(self) -> list[int]:
        """Returns token ids of the prompt, which only this request has after the shared beginning."""
        if self.hashes:
            return self._chunks()
        first = VOCABULARY + self.number * 2_000_000
        return [*range(self.shared), *range(first, first + self.prompt - self.shared)]

    def _chunks(self) -> list[int]:
        tokens = list[int]()
        for each in self.hashes:
            size = min(self.chunk, self.prompt - len(tokens))
            first = (each * (self.chunk + 1) + size) * self.chunk
            tokens += range(first, first + size)
        return tokens


def requests_for_rate(rate: float) -> int:
    """Returns the number of requests of a load with `rate` requests a second that names none."""
    return max(FEWEST_REQUESTS, math.ceil(RATE_SECONDS * rate))


FORM = (
    "write for example 'concurrency=64 prompt=2048 answer=128', 'rate=4 prompt=lognormal:900:0.8:8192 "
    "answer=uniform:50:400 prefix=0.5 images=1 burstiness=0.5 requests=500', 'concurrency=64 "
    "file=lengths.csv', 'file=trace.jsonl chunk=512 unit=0.001'"
)
_OF_LENGTHS = ("prompt", "answer", "prefix", "images")
_OF_A_FILE = ("chunk", "unit")
_WHOLE = r"[1-9]\d{0,6}"
_DIGITS = r"\d{1,6}(\.\d+)?"
_WORDS = ("concurrency", "rate", "requests", "burstiness", *_OF_LENGTHS, "file", *_OF_A_FILE)


def parse(text: str) -> Load:
    """Returns the load of words NAME=VALUE. Raises ValueError, one sentence, for a mistake."""
    given: dict[str, str] = {}
    for word in text.split():
        name, equals, value = word.partition("=")
        if not equals or name not in _WORDS or name in given:
            raise ValueError(f"{word!r} in LOAD is none of {', '.join(_WORDS)}, each once: {FORM}.")
        given[name] = value
    if "concurrency" in given and "rate" in given:
        raise ValueError(f"LOAD has concurrency and rate, which exclude each other: {FORM}.")
    if "burstiness" in given and "rate" not in given:
        raise ValueError(
            f"burstiness={given['burstiness']} says how unevenly the requests of a rate come, and LOAD has "
            "no rate: add rate, or leave it out."
        )
    return _recorded(given) if "file" in given else _drawn(given)


def _drawn(given: Mapping[str, str]) -> Load:
    """Returns a load whose lengths are drawn."""
    missing = [name for name in ("prompt", "answer") if name not in given]
    if "concurrency" not in given and "rate" not in given:
        missing.append("concurrency or rate")
    if missing:
        raise ValueError(f"LOAD lacks {', '.join(missing)}: {FORM}.")
    stray = [name for name in _OF_A_FILE if name in given]
    if stray:
        raise ValueError(
            f"{stray[0]} in LOAD describes a file, and LOAD names none: add file, or leave it out."
        )
    concurrency, rate = _concurrency(given), _rate(given)
    return Load(
        prompt=_length("prompt", given["prompt"]),
        answer=_length("answer", given["answer"]),
        requests=_requests(given, concurrency, rate),
        concurrency=concurrency,
        rate=rate,
        burstiness=_number("burstiness", given.get("burstiness", "1")),
        shared_prefix=_share("prefix", given.get("prefix", "0")),
        images=_whole("images", given["images"]) if "images" in given else 0,
    )


def _recorded(given: Mapping[str, str]) -> Load:
    """Returns a load whose lengths, and times unless it has a concurrency or a rate, are a file's."""
    twice = [name for name in _OF_LENGTHS if name in given]
    if twice:
        raise ValueError(f"{twice[0]} and file in LOAD both say what the requests are: leave one out.")
    chunk = _whole("chunk", given["chunk"]) if "chunk" in given else load_file.CHUNK
    recording = load_file.read(Path(given["file"]), chunk, _number("unit", given.get("unit", "1")))
    concurrency, rate = _concurrency(given), _rate(given)
    if concurrency is None and rate is None and not recording.timed:
        raise ValueError(
            f"file={given['file']} does not say when requests come: add concurrency or rate to LOAD."
        )
    _refuse_unused(given, recording)
    rows = recording.rows
    requests = len(rows) if recording.in_order else 0
    if "requests" in given or not requests:
        requests = _requests(given, concurrency, rate)
    if recording.in_order and requests > len(rows):
        raise ValueError(
            f"requests={requests} in LOAD are more than the {len(rows):,} of file={given['file']}: choose "
            f"{len(rows)} or fewer."
        )
    prompts, answers = [row.prompt for row in rows], [row.answer for row in rows]
    return Load(
        prompt=Length("fixed", statistics.median_low(prompts), max(prompts)),
        answer=Length("fixed", statistics.median_low(answers), max(answers)),
        requests=requests,
        concurrency=concurrency,
        rate=rate,
        burstiness=_number("burstiness", given.get("burstiness", "1")),
        recording=recording,
    )


def _refuse_unused(given: Mapping[str, str], recording: Recording) -> None:
    """Raises ValueError, one sentence, for a word about a trace that this load does not use."""
    stray = [name for name in _OF_A_FILE if name in given and not recording.in_order]
    if stray:
        raise ValueError(
            f"{stray[0]} in LOAD describes a trace (.jsonl), and file={given['file']} is a table: leave it "
            "out."
        )
    if "unit" in given and ("concurrency" in given or "rate" in given):
        raise ValueError(
            "unit in LOAD is that of a trace's timestamps, which are not used with concurrency or rate: "
            "leave one of them out."
        )


def _concurrency(given: Mapping[str, str]) -> int | None:
    return _whole("concurrency", given["concurrency"]) if "concurrency" in given else None


def _rate(given: Mapping[str, str]) -> float | None:
    return _number("rate", given["rate"]) if "rate" in given else None


def _requests(given: Mapping[str, str], concurrency: int | None, rate: float | None) -> int:
    if "requests" in given:
        return _whole("requests", given["requests"])
    if rate is not None:
        return requests_for_rate(rate)
    return max(FEWEST_REQUESTS, REQUESTS_EACH * (concurrency or 0))


def _whole(name: str, text: str) -> int:
    if not re.fullmatch(_WHOLE, text):
        raise ValueError(
            f"{name}={text} is no whole number from 1 to 9,999,999: write one in digits, such as {name}=64."
        )
    return int(text)


def _number(name: str, text: str) -> float:
    if not re.fullmatch(_DIGITS, text) or float(text) == 0:
        raise ValueError(
            f"{name}={text} is no number above 0 and below 1,000,000: write one in digits, such as "
            f"{name}=0.5."
        )
    return float(text)


def _share(name: str, text: str) -> float:
    if not re.fullmatch(_DIGITS, text) or float(text) > 1:
        raise ValueError(f"{name}={text} is no share: write a number from 0 to 1, such as {name}=0.5.")
    return float(text)


def _ordered(low: str, high: str) -> bool:
    """Returns whether both are lengths, and the first is at most the second."""
    return all(re.fullmatch(_WHOLE, text) for text in (low, high)) and int(low) <= int(high)


def _length(name: str, text: str) -> Length:
    kind, *parts = text.split(":")
    if not parts:
        tokens = _whole(name, kind)
        return Length("fixed", tokens, tokens)
    match kind, parts:
        case "uniform", [low, high] if _ordered(low, high):
            return Length("uniform", int(low), int(high))
        case "lognormal", [median, spread, high] if _ordered(median, high) and re.fullmatch(_DIGITS, spread):
            return Length("lognormal", int(median), int(high), float(spread))
        case _:
            raise ValueError(
                f"{name}={text} is no length: write a number, uniform:LOW:HIGH with LOW up to HIGH, or "
                "lognormal:MEDIAN:SPREAD:LONGEST with MEDIAN up to LONGEST."
            )
