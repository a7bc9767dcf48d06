"""Dashboard of Cloud Monitoring with the panels of a stack.

Form: https://cloud.google.com/monitoring/api/ref_v3/rest/v1/projects.dashboards
"""

import json
from collections.abc import Sequence

from serving.monitoring.panels import Line, Panel

COLUMNS = 48
WIDTH, HEIGHT = 16, 16


def dashboard(title: str, panels: Sequence[Panel]) -> str:
    """Returns the dashboard as JSON of the Dashboards API."""
    tiles = [_tile(number, panel) for number, panel in enumerate(panels)]
    return json.dumps({"displayName": title, "mosaicLayout": {"columns": COLUMNS, "tiles": tiles}})


def _tile(number: int, panel: Panel) -> dict[str, object]:
    row, column = divmod(number, COLUMNS // WIDTH)
    chart = {
        "dataSets": [_data_set(line) for line in panel.lines],
        "yAxis": {"label": panel.unit, "scale": "LINEAR"},
    }
    return {
        "xPos": column * WIDTH,
        "yPos": row * HEIGHT,
        "width": WIDTH,
        "height": HEIGHT,
        "widget": {"title": panel.title, "xyChart": chart},
    }


def _data_set(line: Line) -> dict[str, object]:
    data: dict[str, object] = {
        "timeSeriesQuery": {"prometheusQuery": line.query},
        "plotType": "LINE",
    }
    # Cloud Monitoring names a line by its labels, unless the query leaves none.
    return data if "{{" in line.legend else {**data, "legendTemplate": line.legend}
