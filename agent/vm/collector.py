"""Report of the collector, which sends the server's metrics to Cloud Monitoring."""

from agent.vm.last_error import complaint

SENDS = "metrics go to Cloud Monitoring"


def note(unit: str, result: str | None) -> str:
    """Returns what the collector's unit came to.

    `result` is systemd's $SERVICE_RESULT, which only the commands at a unit's end have.
    """
    if result is None:
        return SENDS
    if result == "success":
        return "stopped"
    return f"no metrics go to Cloud Monitoring, and the collector is started again: {complaint(unit)}"
