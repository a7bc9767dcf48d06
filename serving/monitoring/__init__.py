"""Alerts, objectives and dashboards of a stack's servers, as tables over Prometheus metrics."""
