"""Dashboard of Grafana with the panels of a stack.

Form: https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
"""

import json
from collections.abc import Mapping, Sequence

from serving.monitoring.panels import Panel, Unit

COLUMNS = 24
WIDTH, HEIGHT = 8, 8
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}

UNITS: Mapping[Unit, str] = {
    "servers": "short",
    "requests": "short",
    "requests/s": "reqps",
    "tokens/s": "cps",
    "seconds": "s",
    "share": "percentunit",
    "bytes": "bytes",
    "programs": "short",
}
"""Grafana's ids of the units (packages/grafana-data/src/valueFormats/categories.ts of grafana/grafana)."""


def dashboard(title: str, panels: Sequence[Panel]) -> str:
    """Returns the dashboard as JSON that Grafana imports. It asks for the Prometheus data source."""
    variable = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}
    content = {
        "title": title,
        "schemaVersion": 39,
        "editable": True,
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [variable]},
        "panels": [_panel(number, panel) for number, panel in enumerate(panels)],
    }
    return json.dumps(content, indent=1) + "\n"


def _panel(number: int, panel: Panel) -> dict[str, object]:
    row, column = divmod(number, COLUMNS // WIDTH)
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "datasource": DATASOURCE,
        "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": UNITS[panel.unit], "min": 0}, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": DATASOURCE,
                "expr": line.query,
                "legendFormat": line.legend,
            }
            for index, line in enumerate(panel.lines)
        ],
    }
