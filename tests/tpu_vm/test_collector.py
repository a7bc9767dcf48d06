"""A boot with a collector of metrics, whose image no registry here has: the server must not notice."""

import json

import pytest

from serving.deploy import collector, systemd_units
from tests.tpu_vm.conftest import MakeLab
from tests.tpu_vm.lab import MODEL, NAMESPACE, Lab, furnish, simple_release, stages
from tests.tpu_vm.machine import ADDRESS, wait_for

SECONDS = 300


@pytest.fixture(scope="module")
def monitored(make_lab: MakeLab) -> Lab:
    """Returns a machine of a monitored stack that has booted once."""
    lab = furnish(make_lab())
    lab.template(simple_release(lab.image, MODEL), model=MODEL, collected=True)
    assert lab.machine.boot(SECONDS)["state"] == "serving", lab.machine.read("/var/log/console")
    return lab


def note(lab: Lab) -> str:
    """Returns the collector's note in the boot's report."""
    return str(stages(lab).get("metrics", {}).get("note", ""))


def test_the_collector_reads_the_machine_s_own_pages(monitored: Lab) -> None:
    release = simple_release(monitored.image, MODEL)
    written = monitored.machine.read(f"/var/lib/tpuserve/{collector.CONFIG}")
    assert written == collector.config(release.name, NAMESPACE)
    resolved = monitored.machine.run(
        "docker", "compose", "-f", "/var/lib/tpuserve/compose.yaml", "config", "--format", "json"
    )
    assert resolved.stderr == ""
    service = json.loads(resolved.stdout)["services"][collector.SERVICE]
    assert service["environment"] == {"TPUSERVE_ADDRESS": ADDRESS}
    unit = f"/etc/systemd/system/{systemd_units.COLLECTOR_UNIT}"
    verified = monitored.machine.run("systemd-analyze", "verify", unit)
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")


def test_a_collector_that_cannot_be_pulled_is_a_note_and_the_server_serves(monitored: Lab) -> None:
    wait_for(lambda: note(monitored).startswith("no metrics go to Cloud Monitoring, "), SECONDS)
    assert monitored.machine.status["state"] == "serving"
    reported = json.loads((monitored.cloud / "guest-attributes.json").read_text())
    assert reported["stages"]["metrics"] == stages(monitored)["metrics"]
    url = f"http://{ADDRESS}:8000/ready"
    assert monitored.machine.run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", url).stdout == "200"
    restarts = ("systemctl", "show", "--property=NRestarts,ActiveState", systemd_units.UNIT)
    assert monitored.machine.run(*restarts).stdout.split() == ["NRestarts=0", "ActiveState=active"]


def test_a_stop_of_the_server_does_not_wait_for_the_collector(monitored: Lab) -> None:
    """It is tried again once a minute, and a stop must be possible while it is."""
    assert monitored.machine.run("systemctl", "stop", systemd_units.UNIT).returncode == 0
    assert monitored.machine.boot(SECONDS)["state"] == "serving"
