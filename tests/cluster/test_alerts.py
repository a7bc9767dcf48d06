"""Alerts on Prometheus' own engine: each fires in its situation, and is quiet in all others."""

import subprocess
from pathlib import Path

from serving.monitoring import prometheus_rules
from tests.unit.serving.monitoring import promtool
from tools import toolchain

SECONDS = 120


def test_the_situations_fire_the_alerts(tmp_path: Path) -> None:
    rules, tests = tmp_path / "rules.yaml", tmp_path / "tests.yaml"
    rules.write_text(prometheus_rules.rule_file(promtool.ALERTS))
    tests.write_text(promtool.unit_tests(rules, promtool.situations()))
    words = [toolchain.path("promtool"), "test", "rules", str(tests)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
