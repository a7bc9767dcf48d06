"""Monitoring of TPU VMs: what it adds to a machine, and that it takes nothing from the server."""

import json
from collections.abc import Mapping

import yaml

from config.settings import Settings
from config.targets import TpuVmTarget
from serving.deploy import collector, compose, systemd_units
from stacks.plan import plan
from stacks.tpu_vm.boot_metadata import boot_metadata
from tests.unit.stacks.tpu_vm.test_tpu_vm import GOOD, RELEASE, parts


def metadata(*, enabled: bool) -> Mapping[str, str]:
    settings = Settings.parse({**GOOD, "monitoring": {"enabled": enabled}})
    assert isinstance(settings.target, TpuVmTarget) and settings.image is not None
    resolved = plan(settings, settings.image)
    return boot_metadata(
        settings, settings.target, resolved, name="tpuserve-x", disk="", image="r/i", bucket="b", secret="key"
    )


def files(texts: Mapping[str, str]) -> dict[str, str]:
    return json.loads(texts["tpuserve-files"])


def test_monitoring_changes_only_the_files_of_the_collector() -> None:
    without, monitored = metadata(enabled=False), metadata(enabled=True)
    assert {key for key in without if without[key] != monitored[key]} == {"tpuserve-files"}
    before, after = files(without), files(monitored)
    assert after.keys() - before.keys() == {collector.CONFIG, systemd_units.COLLECTOR_UNIT}
    assert {name for name in before if before[name] != after[name]} == {"compose.yaml", systemd_units.UNIT}
    assert not any("collector" in text for name, text in before.items() if not name.startswith("boot/"))


def test_the_server_s_container_is_the_same_with_and_without_a_collector() -> None:
    _, _, resolved = parts()
    found = [
        yaml.safe_load(compose.compose(RELEASE, resolved.lifecycle, sidecar=True, collected=collected))
        for collected in (False, True)
    ]
    collected = found[1]["services"].pop(collector.SERVICE)
    assert found[0] == found[1]
    assert collected["image"] == collector.IMAGE
    assert not collected.get("privileged") and (collected["cap_drop"], collected["read_only"]) == (
        ["ALL"],
        True,
    )
    assert collected["cpus"] and collected["mem_limit"]
    (mount,) = collected["volumes"]
    assert (mount["source"], mount["read_only"]) == (f"./{collector.CONFIG}", True)
    assert f"--config={mount['target']}" in collected["command"]


def test_the_server_only_wants_the_collector() -> None:
    """An order between the two would make a drain wait for the collector's end, or a start for its pull."""
    _, _, resolved = parts()
    units = systemd_units.units("abc", resolved.lifecycle, 5, collected=True)
    server, its = units[systemd_units.UNIT], units[systemd_units.COLLECTOR_UNIT]
    tied = [line for line in server.splitlines() if systemd_units.COLLECTOR_UNIT in line]
    assert [line.partition("=")[0] for line in tied] == ["Wants"]
    assert systemd_units.UNIT not in its
    # It is tried again for ever, and its end is reported.
    assert "\nRestart=on-failure\n" in its and "\nStartLimitIntervalSec=0\n" in its
    assert "--pull missing" in its and f"agent.vm metrics {systemd_units.COLLECTOR_UNIT}" in its
