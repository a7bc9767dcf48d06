"""Ladders: which numbers of simultaneous requests are measured, with which lengths. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.load_test.cell import Cell

ANSWER_TOKENS = 128
"""Tokens of each answer where the seed names none: enough for a time between tokens."""

REQUESTS_EACH = 2
"""Requests of a cell for each simultaneous one, as in acceptance (agent/sidecar/ladder.py)."""
FEWEST_REQUESTS = 8


@dataclass(frozen=True)
class Limits:
    """Limits of a server. The two queue limits are None where requests wait without a limit."""

    max_model_len: int
    max_num_seqs: int
    max_num_queued_reqs: int | None = None
    max_num_queued_tokens: int | None = None


@dataclass(frozen=True)
class Ladder:
    """Every concurrency with every prompt length, the short prompts first."""

    name: str
    purpose: str
    concurrency: tuple[int, ...]
    prompt_tokens: tuple[int, ...]
    output_tokens: int

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Returns the cells in the order in which they are measured."""
        return tuple(
            Cell(
                concurrency=concurrency,
                prompt_tokens=tokens,
                output_tokens=self.output_tokens,
                requests=max(FEWEST_REQUESTS, REQUESTS_EACH * concurrency),
            )
            for tokens in self.prompt_tokens
            for concurrency in self.concurrency
        )

    @property
    def longest(self) -> int:
        """Returns the tokens of the longest request, prompt and answer together."""
        return max(self.prompt_tokens) + self.output_tokens


def doublings(first: int, last: int) -> tuple[int, ...]:
    """Returns `first`, twice that, and so on up to `last`."""
    return (first, *doublings(2 * first, last)) if first <= last else ()


FIXED = {
    ladder.name: ladder
    for ladder in (
        Ladder(
            "seed",
            "1 to 256 simultaneous requests of 2,048 tokens",
            doublings(1, 256),
            (2048,),
            ANSWER_TOKENS,
        ),
        # The recipe that this project began from counts 144 points up to 2,048 simultaneous requests. Of the
        # prompts it names only the boundary at 2,048 tokens. So these are twelve doublings of each.
        Ladder(
            "grid",
            "144 points: 1 to 2,048 simultaneous requests of 2 to 4,096 tokens",
            doublings(1, 2048),
            doublings(2, 4096),
            ANSWER_TOKENS,
        ),
        Ladder("local", "a look at the local server, which computes on the CPU", (1, 2, 4), (128,), 16),
    )
}


def choose(name: str, limits: Limits, acceptance: Ladder) -> Ladder:
    """Returns the ladder `name`, one of the fixed ones or that of acceptance.

    Raises ValueError, one sentence, for a name that is none, and for a ladder that the server cannot take.
    """
    ladders = {acceptance.name: acceptance, **FIXED}
    if name not in ladders:
        raise ValueError(f"LADDER={name} is not a ladder: choose {_listed(sorted(ladders))}.")
    ladder = ladders[name]
    problem = _problem(ladder, limits)
    if problem is not None:
        fitting = sorted(name for name, other in ladders.items() if _problem(other, limits) is None)
        advice = f"choose {_listed([f'LADDER={name}' for name in fitting])}, or raise" if fitting else "raise"
        what, field, needed = problem
        raise ValueError(f"The ladder {name} {what}: {advice} engine.{field} to {needed:,} or more.")
    return ladder


def _problem(ladder: Ladder, limits: Limits) -> tuple[str, str, int] | None:
    """Returns what does not fit, the field that limits it, and the value that it would need."""
    most, longest = max(ladder.concurrency), max(ladder.prompt_tokens)
    if ladder.longest > limits.max_model_len:
        what = (
            f"sends prompts of {longest:,} tokens and asks for {ladder.output_tokens:,} more, "
            f"and the server's max_model_len is {limits.max_model_len:,}"
        )
        return what, "max_model_len", ladder.longest
    held = limits.max_num_queued_reqs
    if held is not None and most > held:
        what = f"sends {most:,} requests at once, and the server holds {held:,} at most (max_num_queued_reqs)"
        return what, "max_num_queued_reqs", most
    waiting, room = most * longest, limits.max_num_queued_tokens
    if room is not None and waiting > room:
        what = (
            f"sends {waiting:,} prompt tokens at once, and the server refuses more than {room:,} "
            "(max_num_queued_tokens)"
        )
        return what, "max_num_queued_tokens", waiting
    return None


def _listed(names: Sequence[str]) -> str:
    return " or ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else names[0]
