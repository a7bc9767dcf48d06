"""Finding about one stage of a server's way to its traffic, and the conclusion from all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["fault", "waiting", "warning", "fine"]
"""`fault` stays until somebody acts. `waiting` passes by itself. `warning` costs something while the server
serves."""

IN_ORDER_OF_WEIGHT: tuple[Level, ...] = ("fault", "waiting", "warning")


@dataclass(frozen=True)
class Finding:
    """Result of one stage."""

    stage: str
    level: Level
    cause: str
    """Clause that names the object and the cause, without a full stop."""
    advice: str = ""
    """Clause with the next command; empty for what is fine."""

    @property
    def sentence(self) -> str:
        """Returns the finding as one sentence."""
        cause = self.cause.rstrip(".")
        return f"{cause}: {self.advice}." if self.advice else f"{cause}."

    @property
    def line(self) -> str:
        """Returns the finding as a row of the report."""
        return f"{self.level:<8} {self.stage:<12} {self.sentence}"


def conclusion(findings: Sequence[Finding], fine: str) -> str:
    """Returns the sentence of the earliest finding of the heaviest level; `fine` when nothing is wrong.

    A stage's fault is the cause of those of later stages: a pod without a node has no container, a rollout
    without a pod exceeds its deadline.
    """
    for level in IN_ORDER_OF_WEIGHT:
        for finding in findings:
            if finding.level == level:
                return finding.sentence
    return fine


def quoted_line(text: str, longest: int = 300) -> str:
    """Returns a message of another program as a part of a sentence: one line, no final stop.

    Of a longer message the middle is left out: programs that call each other put the cause at the end.
    """
    line = " ".join(text.split()).rstrip(" .:;")
    head = longest // 3
    return line if len(line) <= longest else f"{line[:head].rstrip()} … {line[head - longest :].lstrip()}"
