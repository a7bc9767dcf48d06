"""Charts of a load test against concurrency, as SVG text: time to first token, and throughput. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, log2, log10
from typing import Any

WIDTH, HEIGHT = 860, 460
LEFT, RIGHT, TOP, BOTTOM = 80, 200, 50, 50
COLORS = (
    *("#1b4f72", "#d1603d", "#58a55c", "#8e44ad", "#e0a526", "#16a085"),
    *("#c0392b", "#2e86c1", "#117864", "#a04000", "#6c3483", "#196f3d"),
)
GRAY = "#888888"

Point = tuple[float, float]
Cells = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Line:
    """One line of a chart: points of concurrency and value."""

    name: str
    points: Sequence[Point]
    color: str
    dashed: bool = False


def charts(
    title: str, results: Sequence[Mapping[str, Any]], baseline: Mapping[str, Any] | None
) -> dict[str, str]:
    """Returns file name -> SVG. Cells without an answer are left out."""
    cells = (baseline or {}).get("ladder", [])
    return {
        "time-to-first-token.svg": draw(
            f"{title}: median time to first token, ms", _lines(results, cells, _first)
        ),
        "throughput.svg": draw(f"{title}: output tokens per second", _lines(results, cells, _throughput)),
    }


def _first(cell: Mapping[str, Any]) -> float | None:
    times = cell["time_to_first_token_ms"]
    return times["p50"] if times else None


def _throughput(cell: Mapping[str, Any]) -> float | None:
    return cell["output_tokens_per_second"] or None


def _lines(results: Cells, baseline: Cells, value: Callable[[Mapping[str, Any]], float | None]) -> list[Line]:
    """Returns a line for each length of prompts, and dashed ones for the baseline's."""
    lines = list[Line]()
    for kind, cells in (("", results), ("baseline, ", baseline)):
        for number, tokens in enumerate(sorted({cell["prompt_tokens"] for cell in cells})):
            same = [cell for cell in cells if cell["prompt_tokens"] == tokens]
            points = sorted((cell["concurrency"], y) for cell in same if (y := value(cell)) is not None)
            color = GRAY if kind else COLORS[number % len(COLORS)]
            lines.append(Line(f"{kind}{tokens:,} tokens", points, color, dashed=bool(kind)))
    return [line for line in lines if line.points]


def draw(title: str, lines: Sequence[Line]) -> str:
    """Returns the chart, with logarithmic axes: concurrency by doublings, values by powers of ten."""
    body = [_text(LEFT, 26, title)]
    points = [point for line in lines for point in line.points]
    if points:
        last = max(1, ceil(log2(max(x for x, _ in points))))
        low = int(log10(min(y for _, y in points)) // 1)
        high = max(low + 1, ceil(log10(max(y for _, y in points))))
        body += _axes(last, low, high)
        for number, line in enumerate(lines):
            body += _line(line, number, last, low, high)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="white"/>\n'
        + "\n".join(body)
        + "\n</svg>\n"
    )


def _x(exponent: float, last: int) -> float:
    return LEFT + exponent / last * (WIDTH - LEFT - RIGHT)


def _y(exponent: float, low: int, high: int) -> float:
    return HEIGHT - BOTTOM - (exponent - low) / (high - low) * (HEIGHT - TOP - BOTTOM)


def _axes(last: int, low: int, high: int) -> list[str]:
    body = [_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, "requests at once", "middle")]
    for exponent in range(last + 1):
        x = _x(exponent, last)
        body.append(_stroke(x, TOP, x, HEIGHT - BOTTOM))
        body.append(_text(x, HEIGHT - BOTTOM + 18, f"{2**exponent:,}", "middle"))
    for exponent in range(low, high + 1):
        y = _y(exponent, low, high)
        body.append(_stroke(LEFT, y, WIDTH - RIGHT, y))
        body.append(_text(LEFT - 8, y + 4, f"{10.0**exponent:,g}", "end"))
    return body


def _line(line: Line, number: int, last: int, low: int, high: int) -> list[str]:
    """Returns one line, its points with their values as tooltips, and its row of the legend."""
    places = [(_x(log2(x), last), _y(log10(y), low, high)) for x, y in line.points]
    stroke = f'stroke="{line.color}" stroke-width="2"' + (' stroke-dasharray="6 4"' if line.dashed else "")
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    body = [f'<polyline points="{path}" fill="none" {stroke}/>']
    for (x, y), (concurrency, value) in zip(places, line.points, strict=True):
        note = escape(f"{line.name}, {concurrency:,.0f} at once: {value:,.1f}")
        circle = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{line.color}">'
        body.append(f"{circle}<title>{note}</title></circle>")
    x, y = WIDTH - RIGHT + 16, TOP + 8 + number * 18
    body.append(f'<line x1="{x}" x2="{x + 20}" y1="{y}" y2="{y}" {stroke}/>')
    body.append(_text(x + 26, y + 4, line.name))
    return body


def _stroke(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#dddddd"/>'


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(text)}</text>'
