"""`make load-test` on the local server: a Job beside it, a table, two charts, and nothing left behind."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from load_test.ladders import FIXED
from local.commands.kubectl import get, kubectl
from serving.deploy import container_layout
from tests.cluster.commands import Run, Server, run
from tools.support import paths

CHARTS = paths.REPOSITORY / "load-tests"


@pytest.fixture(scope="module")
def measured(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Yields what the command printed. Charts of earlier load tests are moved away meanwhile."""
    earlier = tmp_path_factory.mktemp("earlier") / "charts"
    if CHARTS.exists():
        shutil.move(CHARTS, earlier)
    yield run("make", "-s", "load-test", seconds=600)
    shutil.rmtree(CHARTS, ignore_errors=True)
    if earlier.exists():
        shutil.move(earlier, CHARTS)


def test_every_cell_is_measured_and_in_the_table(measured: Run) -> None:
    assert measured.code == 0, measured.text
    cells = FIXED["local"].cells
    assert [line for line in measured.err.splitlines() if f"{len(cells)}/{len(cells)}" in line]
    _, _, *rows = measured.out.splitlines()
    for cell, row in zip(cells, rows, strict=False):
        words = row.split()
        expected = [cell.concurrency, cell.prompt_tokens, cell.output_tokens, cell.requests, 0]
        assert [int(word) for word in words[:5]] == expected
        assert float(words[5].replace(",", "")) > 0, "a time to first token"


def test_the_charts_show_the_release(measured: Run) -> None:
    charts = sorted(CHARTS.rglob("*.svg"))
    assert [chart.name for chart in charts] == ["throughput.svg", "time-to-first-token.svg"]
    release = Path(charts[0]).parents[1].name
    assert all(f"release {release}" in chart.read_text("utf-8") for chart in charts)


def test_nothing_of_the_load_test_is_left(measured: Run) -> None:
    for kind in ("job", "configmap", "networkpolicy"):
        assert get(kind, "load-test", container_layout.NAMESPACE) is None
    left = kubectl("get", "pods", "-n", container_layout.NAMESPACE, "-l", "app.kubernetes.io/name=load-test")
    assert left == ""


def test_a_ladder_that_the_local_server_cannot_take_is_refused_before_it_starts(server: Server) -> None:
    refused = run("make", "-s", "load-test", "LADDER=seed", seconds=120)
    assert refused.code != 0
    assert "The ladder seed sends prompts of 2,048 tokens" in refused.text and "LADDER=local" in refused.text
    assert get("job", "load-test", container_layout.NAMESPACE) is None
