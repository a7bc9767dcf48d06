"""Picture of the dashboard's panels with what a Prometheus has recorded, as SVG text."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from load_test.charts import COLORS
from serving.monitoring.panels import Panel
from tests.cluster.prometheus import Prometheus, shortened_query

COLUMNS, WIDTH, HEIGHT = 3, 300, 170
LEFT, RIGHT, TOP, BOTTOM = 44, 10, 40, 22
Point = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """One line of a panel: seconds since the beginning, and values."""

    name: str
    points: Sequence[Point]


def picture(prometheus: Prometheus, panels: Sequence[Panel], seconds: int) -> str:
    """Returns the panels that have values in the last `seconds`, in a grid."""
    drawn = [(panel, _curves(prometheus, panel, seconds)) for panel in panels]
    drawn = [(panel, curves) for panel, curves in drawn if curves]
    rows = -(-len(drawn) // COLUMNS)
    body = "\n".join(
        f'<g transform="translate({WIDTH * (number % COLUMNS)},{HEIGHT * (number // COLUMNS)})">'
        f"{_panel(panel, curves, seconds)}</g>"
        for number, (panel, curves) in enumerate(drawn)
    )
    size = f'width="{WIDTH * COLUMNS}" height="{HEIGHT * rows}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="10">\n'
        f'<rect {size} fill="white"/>\n{body}\n</svg>\n'
    )


def _curves(prometheus: Prometheus, panel: Panel, seconds: int) -> list[Curve]:
    curves = list[Curve]()
    for line in panel.lines:
        for labels, points in prometheus.range(shortened_query(line.query), seconds):
            name = line.legend
            for label, value in labels.items():
                name = name.replace(f"{{{{{label}}}}}", value)
            curves.append(Curve(name, points))
    return curves


def _panel(panel: Panel, curves: Sequence[Curve], seconds: int) -> str:
    highest = max((value for curve in curves for _, value in curve.points), default=0) or 1
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM

    def place(point: Point) -> str:
        x = LEFT + point[0] / seconds * (right - LEFT)
        return f"{x:.1f},{bottom - point[1] / highest * (bottom - TOP):.1f}"

    parts = [
        f'<text x="{LEFT}" y="14" font-weight="bold">{escape(panel.title)}, {panel.unit}</text>',
        f'<path d="M{LEFT},{TOP}V{bottom}H{right}" fill="none" stroke="#888888"/>',
        f'<text x="{LEFT - 4}" y="{TOP + 4}" text-anchor="end">{highest:.3g}</text>',
        f'<text x="{LEFT - 4}" y="{bottom}" text-anchor="end">0</text>',
        f'<text x="{right}" y="{bottom + 14}" text-anchor="end">{seconds} s</text>',
    ]
    shift = LEFT
    for number, curve in enumerate(curves):
        color = COLORS[number % len(COLORS)]
        parts.append(f'<text x="{shift}" y="28" fill="{color}">{escape(curve.name)}</text>')
        shift += 8 + 6 * len(curve.name)
        points = " ".join(map(place, curve.points))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.5"/>')
    return "".join(parts)
