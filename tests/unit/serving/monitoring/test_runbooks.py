"""docs/alerts.md: every alert has its section, and every section its alert and a command.

tests/unit/repository/test_documented_commands.py looks at the commands themselves.
"""

import re

import pytest

from serving.monitoring import google
from serving.monitoring.alerts import RUNBOOKS
from tests.unit.repository.test_docs_links import anchors
from tests.unit.serving.monitoring.promtool import ALERTS
from tools.support import paths

FILE = paths.REPOSITORY / RUNBOOKS
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", FILE.read_text("utf-8"), re.MULTILINE | re.DOTALL))
OF_GOOGLE = (
    google.node_interrupted("c"),
    google.maintenance_announced("p", ["z"]),
    google.certificate_expires("p"),
)
EVERY = (*ALERTS, *OF_GOOGLE)


def commands(section: str) -> list[str]:
    """Returns the indented lines of a section."""
    return [line.strip() for line in section.splitlines() if line.startswith("    ")]


def test_every_alert_has_a_section_and_every_section_an_alert() -> None:
    assert set(SECTIONS) == {alert.name for alert in EVERY}


@pytest.mark.parametrize("alert", EVERY, ids=lambda alert: alert.name)
def test_the_runbook_s_anchor_exists(alert: google.LogAlert) -> None:
    path, anchor = alert.runbook.split("#")
    assert path == RUNBOOKS and anchor in anchors(FILE)


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_says_meaning_first_look_command_and_change(name: str) -> None:
    found = re.findall(r"^\*\*(Meaning|Look first|Change)\b", SECTIONS[name], re.MULTILINE)
    assert found == ["Meaning", "Look first", "Change"]
    assert commands(SECTIONS[name])


def test_kubectl_names_containers_of_the_plans() -> None:
    plan = (paths.REPOSITORY / "tests" / "inventory" / "prod.yaml").read_text("utf-8")
    containers = set(re.findall(r" -c ([a-z-]+)", FILE.read_text("utf-8")))
    assert containers and all(f"name: {container}\n" in plan for container in containers)
