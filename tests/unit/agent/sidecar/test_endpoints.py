"""The sidecar as a process: its metrics, its verdict, its mistakes, and its end."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from agent.sidecar import libtpu
from agent.sidecar.key_age import KeyAge
from agent.sidecar.lifecycle import Lifecycle
from agent.sidecar.metrics import SidecarMetrics, page
from agent.sidecar.settings import Settings
from agent.sidecar.verdict import CheckResult, Verdict
from operate.tunnel import free_port
from tests.unit.agent.sidecar.conftest import write_events
from tests.unit.agent.sidecar.openai_server import OpenAIServer
from tests.unit.agent.sidecar.test_acceptance import only
from tools.support import paths

MakeSettings = Callable[..., Settings]
SECONDS = 60


def values(text: str) -> dict[tuple[str, ...], float]:
    """Returns the samples of a page by name and label values, in the order of the labels' names."""
    return {
        (sample.name.removeprefix("tpuserve_"), *dict(sorted(sample.labels.items())).values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_of_a_sidecar_that_waits(settings: MakeSettings, tmp_path: Path) -> None:
    chosen = settings()
    (tmp_path / "cache-events.json").unlink()
    found = values(page(SidecarMetrics(chosen, Lifecycle(chosen, ""), None)).decode())
    release = ("v6e-4", "abc", "image@sha256:1", "gemma-4-26b-a4b-it", "ab12cd34", "r1")
    states = {("acceptance", state): 0.0 for state in ("running", "accepted", "rejected")}
    waiting = {("ready",): 0.0, ("acceptance", "waiting"): 1.0}
    assert found == {("release_info", *release): 1.0, **waiting, **states}


def test_metrics_follow_the_status_files(settings: MakeSettings, tmp_path: Path) -> None:
    chosen = settings()
    life = Lifecycle(chosen, "")
    check = CheckResult(name="chat", result="failed", sentence="x", seconds=4.0)
    verdict = Verdict(release="ab12cd34", state="rejected", sentence="x", checks=(check,), finished=100.0)
    life.verdicts.begin(verdict)
    life.records.results = {"record": "written", "baseline": "exists"}
    write_events(tmp_path, late=3, misses=4)
    (tmp_path / "cache-restore.json").write_text('{"result": "restored", "seconds": 12.5}')
    (tmp_path / "cache-publish.json").write_text('{"result": "failed"}')
    found = values(page(SidecarMetrics(chosen, life, None)).decode())
    expected = {
        ("acceptance", "rejected"): 1.0,
        ("acceptance", "accepted"): 0.0,
        ("acceptance_check", "chat", "failed"): 1.0,
        ("release_record", "record", "written"): 1.0,
        ("release_record", "baseline", "exists"): 1.0,
        ("compile_cache_restore", "restored"): 1.0,
        ("compile_cache_publish", "failed"): 1.0,
        ("compile_cache_programs", "hit"): 44.0,
        ("compile_cache_programs", "miss"): 4.0,
        ("compiled_after_warm_up",): 6.0,
        ("slow_compilations_total",): 3.0,
        ("boot_seconds", "cache_restore"): 12.5,
        ("boot_seconds", "compile"): 1.5,
        ("boot_seconds", "server"): 95.0,
        ("boot_seconds", "acceptance"): 4.0,
    }
    assert {name: found[name] for name in expected} == expected


def test_a_boot_before_its_verdict_shows_only_the_parts_that_have_ended(settings: MakeSettings) -> None:
    chosen = settings()
    life = Lifecycle(chosen, "")
    life.verdicts.begin(Verdict(release="ab12cd34", state="running", sentence="x"))
    found = values(page(SidecarMetrics(chosen, life, None)).decode())
    assert {name[1]: value for name, value in found.items() if name[0] == "boot_seconds"} == {"compile": 1.5}


def test_the_chips_are_shown_as_libtpu_reports_them(
    settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported = {
        libtpu.TOTAL: {0: 32.0, 1: 32.0},
        libtpu.USED: {0: 30.0, 1: 29.0},
        libtpu.DUTY_CYCLE: {0: 62.5},
    }
    monkeypatch.setattr(libtpu, "read", lambda metric, seconds: reported[metric])
    chosen = settings()
    found = values(page(SidecarMetrics(chosen, Lifecycle(chosen, ""), None)).decode())
    expected = {
        ("hbm_used_bytes", "0"): 30.0,
        ("hbm_used_bytes", "1"): 29.0,
        ("hbm_free_bytes", "0"): 2.0,
        ("hbm_free_bytes", "1"): 3.0,
        ("tensorcore_duty_cycle_ratio", "0"): 0.625,
    }
    assert {name: found.get(name) for name in expected} == expected


@pytest.mark.parametrize(("status", "ready"), [(200, 1.0), (503, 0.0)])
def test_a_server_is_ready_as_its_own_probe_says(
    settings: MakeSettings, server: OpenAIServer, status: int, ready: float
) -> None:
    server.health = status
    chosen = settings()
    found = values(page(SidecarMetrics(chosen, Lifecycle(chosen, server.url), None)).decode())
    assert found[("ready",)] == ready


def test_the_age_of_the_key_is_a_time(settings: MakeSettings) -> None:
    chosen, key = settings(), KeyAge("projects/p/secrets/s")
    without = values(page(SidecarMetrics(chosen, Lifecycle(chosen, ""), key)).decode())
    assert ("api_key_created_timestamp_seconds",) not in without
    key.created = 1_700_000_000.0
    found = values(page(SidecarMetrics(chosen, Lifecycle(chosen, ""), key)).decode())
    assert found[("api_key_created_timestamp_seconds",)] == 1_700_000_000.0


def start(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "agent.sidecar", "--server", "http://127.0.0.1:9", *words],
        cwd=paths.REPOSITORY,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_process_serves_its_verdict_and_ends_at_once(
    settings: MakeSettings, server: OpenAIServer, tmp_path: Path
) -> None:
    settings(only("chat"))
    port = str(free_port())
    words = ("--settings", str(tmp_path / "sidecar.json"), "--address", "127.0.0.1", "--port", port)
    with start(*words, "--server", server.url) as process:
        verdict: dict[str, object] = {}
        deadline = time.monotonic() + SECONDS
        while verdict.get("state") != "accepted" and time.monotonic() < deadline and process.poll() is None:
            try:
                verdict = httpx.get(f"http://127.0.0.1:{port}/acceptance").json()
            except httpx.TransportError:
                time.sleep(0.05)
        metrics = httpx.get(f"http://127.0.0.1:{port}/metrics")
        ready = httpx.get(f"http://127.0.0.1:{port}/ready")
        missing = httpx.get(f"http://127.0.0.1:{port}/health")
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=SECONDS)
    assert verdict["state"] == "accepted", log
    assert json.loads((tmp_path / "acceptance.json").read_text()) == verdict
    assert 'tpuserve_acceptance{state="accepted"} 1.0' in metrics.text
    assert metrics.headers["content-type"].startswith("text/plain")
    assert (ready.status_code, ready.text) == (200, f"{verdict['sentence']}\n")
    assert (missing.status_code, missing.text) == (404, "The sidecar offers /metrics, /acceptance, /ready.\n")
    assert process.returncode == 0 and "Traceback" not in log
    assert "INFO Release ab12cd34 is accepted: 1 checks passed" in log


@pytest.mark.parametrize(
    ("port", "folder", "expected"),
    [
        (
            "{used}",
            "{folder}",
            "127.0.0.1:{used} cannot be used (Address already in use); choose another --port.",
        ),
        (
            "{free}",
            "/proc/1/none",
            "/proc/1/none cannot be used (No such file or directory); make it writable.",
        ),
        ("{free}", "", "sidecar.json: status_folder is missing; set it."),
    ],
    ids=["port", "folder", "settings"],
)
def test_a_mistake_ends_the_process_with_a_sentence(
    settings: MakeSettings, server: OpenAIServer, tmp_path: Path, port: str, folder: str, expected: str
) -> None:
    settings()
    names = {"used": str(server.server_port), "free": str(free_port()), "folder": str(tmp_path)}
    file = tmp_path / "sidecar.json"
    content = json.loads(file.read_text())
    content["status_folder"] = folder.format(**names)
    if not folder:
        del content["status_folder"]
    file.write_text(json.dumps(content))
    with start("--settings", str(file), "--address", "127.0.0.1", "--port", port.format(**names)) as process:
        _, log = process.communicate(timeout=SECONDS)
    assert process.returncode == 1 and "Traceback" not in log
    assert expected.format(**names) in log, os.linesep + log
