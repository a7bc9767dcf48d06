"""Both dashboards show the same panels, each in the form of its product."""

import json

from serving.monitoring import cloud_dashboard, grafana
from serving.monitoring.panels import panels
from tests.unit.serving.monitoring.promtool import PODS

PANELS = panels(PODS)


def test_the_dashboards_have_the_same_panels_and_queries() -> None:
    ours = [(panel.title, [line.query for line in panel.lines]) for panel in PANELS]
    shown = json.loads(grafana.dashboard("A title", PANELS))
    assert shown["title"] == "A title"
    assert [
        (each["title"], [target["expr"] for target in each["targets"]]) for each in shown["panels"]
    ] == ours
    cloud = json.loads(cloud_dashboard.dashboard("A title", PANELS))
    assert cloud["displayName"] == "A title"
    widgets = [tile["widget"] for tile in cloud["mosaicLayout"]["tiles"]]
    read = [
        [each["timeSeriesQuery"]["prometheusQuery"] for each in w["xyChart"]["dataSets"]] for w in widgets
    ]
    assert list(zip([widget["title"] for widget in widgets], read, strict=True)) == ours


def test_no_panel_lies_over_another_or_outside() -> None:
    places = [each["gridPos"] for each in json.loads(grafana.dashboard("", PANELS))["panels"]]
    assert len({(place["x"], place["y"]) for place in places}) == len(PANELS)
    assert max(place["x"] + place["w"] for place in places) == grafana.COLUMNS
    tiles = json.loads(cloud_dashboard.dashboard("", PANELS))["mosaicLayout"]["tiles"]
    # The API leaves out zeros and takes them.
    assert len({(tile["xPos"], tile["yPos"]) for tile in tiles}) == len(PANELS)
    assert max(tile["xPos"] + tile["width"] for tile in tiles) == cloud_dashboard.COLUMNS


def test_lines_without_labels_have_a_name_on_both() -> None:
    for panel in json.loads(cloud_dashboard.dashboard("", PANELS))["mosaicLayout"]["tiles"]:
        for line in panel["widget"]["xyChart"]["dataSets"]:
            assert "{{" not in line.get("legendTemplate", "")
