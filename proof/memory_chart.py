"""Chart of a proof: one chip's HBM as a bar, at each value of gpu_memory_utilization. Written as SVG text."""

from html import escape

from config.selection import Selection
from proof.report import budgets, parts, verdict
from serving.compilation.proof import Proof
from serving.messages.units import GIB

WIDTH, BAR, GAP, LEFT, TOP = 920, 34, 26, 70, 64
LEGEND = 2, 420
"""Number of columns, and the width of each in pixels: wide enough for a program's name with its shape."""

COLORS = ("#1b4f72", "#21618c", "#2874a6", "#2e86c1", "#5499c7", "#7fb3d5", "#a9cce3")
"""Colors of the groups of weights, in order."""

OTHERS = {"KV cache": "#58a55c", "code of all programs": "#e0a526", "left": "#eeeeee"}
BUFFER = "#d1603d"


def draw(selection: Selection, proof: Proof) -> str:
    """Returns the chart as SVG text."""
    rows = budgets(selection, proof)
    usable = rows[0][1].hbm_bytes
    scale = (WIDTH - LEFT - 20) / usable
    body: list[str] = []
    legend: dict[str, str] = {}
    for number, (share, memory) in enumerate(rows):
        top = TOP + number * (BAR + GAP)
        body.append(_text(10, top + BAR * 0.65, f"{share:g}"))
        x = float(LEFT)
        groups = iter(COLORS)
        for name, size in parts(memory):
            color = OTHERS.get(name) or (next(groups, COLORS[-1]) if name.startswith("weights") else BUFFER)
            legend[name] = color
            width = max(0.0, size * scale)
            body.append(
                f'<rect x="{x:.1f}" y="{top}" width="{width:.1f}" height="{BAR}" fill="{color}">'
                f"<title>{escape(name)}: {size / GIB:.3f} GiB</title></rect>"
            )
            x += width
        cap = LEFT + memory.cap_bytes * scale
        body.append(
            f'<line x1="{cap:.1f}" x2="{cap:.1f}" y1="{top - 5}" y2="{top + BAR + 5}" stroke="black"/>'
        )
        body.append(
            _text(
                LEFT, top + BAR + 14, f"{memory.pool.tokens:,} tokens, left {memory.left_bytes / GIB:.2f} GiB"
            )
        )
    bottom = TOP + len(rows) * (BAR + GAP) + 14
    columns, wide = LEGEND
    for number, (name, color) in enumerate(legend.items()):
        x, y = LEFT + (number % columns) * wide, bottom + (number // columns) * 18
        body.append(f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{color}"/>')
        body.append(_text(x + 18, y, name))
    height = bottom + -(-len(legend) // columns) * 18 + 24
    chips = selection.candidate.engine.tensor_parallel_size
    title = f"{selection.name}: {selection.candidate.model.name}, each of {chips} chips, {proof.source}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'font-family="sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="white"/>\n'
        f"{_text(10, 22, title)}\n{_text(10, 42, verdict(selection, proof))}\n"
        + "\n".join(body)
        + "\n</svg>\n"
    )


def _text(x: float, y: float, text: str) -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}">{escape(text)}</text>'
