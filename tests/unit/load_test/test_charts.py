"""The two charts: well-formed SVG with a line for each length of prompts, and the baseline dashed."""

from typing import Any
from xml.etree import ElementTree

from load_test.charts import HEIGHT, LEFT, RIGHT, WIDTH, charts
from tests.unit.load_test.cells import result

SVG = "{http://www.w3.org/2000/svg}"


def drawn(results: list[Any], baseline: Any = None) -> dict[str, ElementTree.Element]:
    return {
        name: ElementTree.fromstring(text) for name, text in charts("a <title>", results, baseline).items()
    }


def test_both_charts_have_every_cell_in_place() -> None:
    results = [result(number, tokens=tokens) for tokens in (128, 256) for number in (1, 4, 16)]
    found = drawn(results)
    assert found.keys() == {"time-to-first-token.svg", "throughput.svg"}
    for chart in found.values():
        assert len(chart.findall(f"{SVG}polyline")) == 2
        circles = chart.findall(f"{SVG}circle")
        assert len(circles) == 6
        xs = [float(circle.attrib["cx"]) for circle in circles[:3]]
        assert xs == [LEFT, (LEFT + WIDTH - RIGHT) / 2, WIDTH - RIGHT], "concurrency is logarithmic"
        assert all(0 < float(circle.attrib["cy"]) < HEIGHT for circle in circles)


def test_a_longer_time_is_higher_and_says_its_value() -> None:
    first, second = drawn([result(1), result(4)])["time-to-first-token.svg"].findall(f"{SVG}circle")
    assert float(second.attrib["cy"]) < float(first.attrib["cy"])
    assert second.findtext(f"{SVG}title") == "128 tokens, 4 at once: 400.0"


def test_the_baseline_is_dashed() -> None:
    chart = drawn([result(1), result(2)], {"ladder": [result(1), result(2)]})["throughput.svg"]
    dashed = [line for line in chart.findall(f"{SVG}polyline") if "stroke-dasharray" in line.attrib]
    assert len(dashed) == 1
    assert "baseline, 128 tokens" in [text.text for text in chart.findall(f"{SVG}text")]


def test_a_cell_without_an_answer_is_left_out() -> None:
    silent = result(4, time_to_first_token_ms=None, output_tokens_per_second=0)
    for chart in drawn([result(1), silent]).values():
        assert len(chart.findall(f"{SVG}circle")) == 1
    for chart in drawn([silent]).values():
        assert chart.findall(f"{SVG}polyline") == []
