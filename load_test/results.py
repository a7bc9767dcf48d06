"""Results of a load test as its Job reports them, and the estimate of what is left. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.load_test.cell import Cell


@dataclass
class Results:
    """State that follows from the Job's events. An event may come twice, because a log is read again."""

    cells: Sequence[Cell]
    run: str | None = None
    continued: bool = False
    baseline: Mapping[str, Any] | None = None
    measured: dict[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    rejected: dict[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    problem: str | None = None
    ended: bool = False
    object: str | None = None

    def take(self, event: Mapping[str, Any]) -> list[str]:
        """Applies one event; returns the lines that are news."""
        match event["event"]:
            case "run" if event["run"] != self.run:
                self.run, self.continued, self.baseline = event["run"], event["continued"], event["baseline"]
                self.measured.update({result["cell"]: result for result in event["cells"]})
                left = len(self.cells) - len(self.measured)
                went = "goes on with" if self.continued else "has"
                return [f"   {self.run} {went} {left} of {len(self.cells)} cells"]
            case "cell":
                return self._cell(event["result"])
            case "problem":
                self.problem = event["sentence"]
            case "end":
                self.ended, self.object = True, event["object"]
            case _:
                pass
        return []

    def _cell(self, result: Mapping[str, Any]) -> list[str]:
        name = result["cell"]
        group = self.measured if result["state"] == "measured" else self.rejected
        if group.get(name) == result:
            return []
        group[name] = result
        number = len(self.measured.keys() | self.rejected.keys())
        position = f"   {number:>3}/{len(self.cells)}"
        if result["state"] != "measured":
            return [f"{position}  {result['sentence']}"]
        self.rejected.pop(name, None)
        return [f"{position}  {_line(result)}, {rest(self)}"]

    @property
    def in_order(self) -> list[Mapping[str, Any]]:
        """Returns the measured cells in the order of the ladder."""
        return [self.measured[cell.name] for cell in self.cells if cell.name in self.measured]


def rest(results: Results) -> str:
    """Returns an estimate of the time that is left, from the latest cell's seconds for each token."""
    done = results.measured.keys() | results.rejected.keys()
    left = sum(_tokens(cell) for cell in results.cells if cell.name not in done)
    if not left:
        return "the last one"
    latest = max(results.measured.values(), key=lambda result: result["finished"])
    tokens = latest["requests"] * (latest["prompt_tokens"] + latest["output_tokens"])
    return f"about {duration(left * latest['seconds'] / tokens)} left"


def duration(seconds: float) -> str:
    """Returns a time in the unit that shows it in two or three digits."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _tokens(cell: Cell) -> int:
    return cell.requests * (cell.prompt_tokens + cell.output_tokens)


def _line(result: Mapping[str, Any]) -> str:
    times = result["time_to_first_token_ms"]
    first = f"first token {times['p50']:,.0f} ms" if times else "no answer"
    failed = f", {result['failures']:,} failed" if result["failures"] else ""
    return (
        f"{result['concurrency']:,} at once x {result['prompt_tokens']:,} tokens: {first}, "
        f"{result['output_tokens_per_second']:,.0f} tokens/s{failed}, {duration(result['seconds'])}"
    )
