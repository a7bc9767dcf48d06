"""Report of the collector beside the boot's own."""

import json
import subprocess
import sys
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


def test_two_writers_lose_no_report_of_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boot_status, "STATUS", tmp_path / "status.json")
    monkeypatch.setattr(boot_status, "METADATA", "http://127.0.0.1:1")
    boot_status.begin("r")

    def write(name: str) -> int:
        words = [sys.executable, "-c", REPORT, str(boot_status.STATUS), name]
        return subprocess.run(words, cwd=REPOSITORY, check=False).returncode

    with ThreadPoolExecutor() as pool:
        assert list(pool.map(write, ("boot", "collector"))) == [0, 0]
    stages = json.loads(boot_status.STATUS.read_text())["stages"]
    assert len(stages) == 40


def test_the_collector_s_note_does_not_change_the_boot_s_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boot_status, "STATUS", tmp_path / "status.json")
    monkeypatch.setattr(boot_status, "METADATA", "http://127.0.0.1:1")
    boot_status.begin("r")
    boot_status.stage("acceptance", "done", 1.0, None)
    boot_status.note("metrics", collector.note("u", "success"))
    assert boot_status.serving()
