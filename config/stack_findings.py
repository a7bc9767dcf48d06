"""Findings about a stack's settings outside the engine."""

from config.drain_findings import drain_findings
from config.monitoring_limits import monitoring_findings
from config.run_as_findings import run_as_findings
from config.settings import Settings
from config.spot_findings import spot_findings
from config.zone_findings import zone_findings
from serving.messages.finding import Finding


def stack_findings(settings: Settings) -> tuple[Finding, ...]:
    """Returns the findings of every subject."""
    return (
        *zone_findings(settings),
        *spot_findings(settings),
        *drain_findings(settings),
        *run_as_findings(settings),
        *monitoring_findings(settings),
    )
