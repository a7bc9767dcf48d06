"""Report of the collector beside the boot's own."""

import fcntl
import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agent.vm import boot_status, collector
from tests.inventory.recorder import REPOSITORY

JOURNAL = "Error response from daemon: manifest for us-docker.pkg.dev/x not found"


@pytest.mark.parametrize(
    ("result", "note"),
    [
        (None, "metrics go to Cloud Monitoring"),
        ("success", "stopped"),
        ("exit-code", f"no metrics go to Cloud Monitoring, and the collector is started again: {JOURNAL}"),
        ("timeout", f"no metrics go to Cloud Monitoring, and the collector is started again: {JOURNAL}"),
    ],
)
def test_each_end_of_the_collector_has_a_note(
    monkeypatch: pytest.MonkeyPatch, result: str | None, note: str
) -> None:
    monkeypatch.setattr("agent.vm.last_error.printed", lambda unit, lines: JOURNAL)
    assert collector.note("tpuserve-collector.service", result) == note


REPORT = """
import sys
from pathlib import Path
from agent.vm import boot_status
boot_status.STATUS, boot_status.METADATA = Path(sys.argv[1]), "http://127.0.0.1:1"
for number in range(20):
    boot_status.note(f"{sys.argv[2]}-{number}", "x")
"""


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns the file of a report that has begun on a machine without a metadata server."""
    monkeypatch.setattr(boot_status, "STATUS", tmp_path / "status.json")
    monkeypatch.setattr(boot_status, "METADATA", "http://127.0.0.1:1")
    boot_status.begin("r")
    return boot_status.STATUS


def test_two_writers_lose_no_report_of_each_other(report: Path) -> None:
    def write(name: str) -> int:
        words = [sys.executable, "-c", REPORT, str(report), name]
        return subprocess.run(words, cwd=REPOSITORY, check=False).returncode

    with ThreadPoolExecutor() as pool:
        assert list(pool.map(write, ("boot", "collector"))) == [0, 0]
    assert len(json.loads(report.read_text())["stages"]) == 40


def test_a_boot_that_begins_again_waits_for_a_unit_that_reports(report: Path) -> None:
    """Otherwise the unit would write the report back that the boot has just replaced."""
    began = threading.Thread(target=boot_status.begin, args=("r2",))
    with report.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        began.start()
        began.join(0.2)
        assert json.loads(report.read_text())["release"] == "r"
    began.join(30)
    assert json.loads(report.read_text())["release"] == "r2"


def test_a_boot_that_begins_again_keeps_only_the_collector_s_note(report: Path) -> None:
    """A rotation of the key begins the boot again while server and collector run."""
    boot_status.stage("disk", "done", 1.0, None)
    boot_status.note("metrics", collector.SENDS)
    boot_status.begin("r")
    assert json.loads(report.read_text())["stages"] == {"metrics": {"note": collector.SENDS}}


@pytest.mark.usefixtures("report")
def test_the_collector_s_note_does_not_change_the_boot_s_state() -> None:
    boot_status.stage("acceptance", "done", 1.0, None)
    boot_status.note("metrics", collector.note("u", "success"))
    assert boot_status.serving()
