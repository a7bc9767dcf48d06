"""A baked compile cache on a machine: used first, kept when it serves, deleted when the server ends on it."""

import pytest

from serving.deploy import systemd_units
from serving.deploy.compose import CONTAINER
from tests.tpu_vm.conftest import MakeLab
from tests.tpu_vm.lab import BUCKET, MODEL, Lab, furnish, simple_release, stages
from tests.tpu_vm.machine import wait_for
from tests.unit.agent.bucket import BAKED, archive

CACHE = "/var/lib/tpuserve/cache"


@pytest.fixture(scope="module")
def lab(make_lab: MakeLab) -> Lab:
    return furnish(make_lab())


@pytest.mark.parametrize(
    ("text", "starts", "note"),
    [
        (
            "for another chip",
            2,
            "baked cache dropped: the server ended before it was ready; this start compiles",
        ),
        (
            "that hangs",
            1,
            "baked cache dropped: the server was not ready in time; this start compiles",
        ),
        ("for this chip", 1, "baked, all 1 programs serve"),
    ],
)
def test_a_machine_serves_whatever_was_baked(lab: Lab, text: str, starts: int, note: str) -> None:
    lab.machine.run("systemctl", "stop", systemd_units.UNIT)
    lab.machine.run("rm", "-rf", f"{CACHE}/xla", f"{CACHE}/.baked")
    for published in (lab.cloud / "objects" / BUCKET / "xla").glob("*"):
        published.unlink()
    lab.archive(archive({"jit_step-1-cache": text}, BAKED), BAKED)
    lab.template(simple_release(lab.image, MODEL), model=MODEL, baked=BAKED, budget=20)
    lab.machine.boot(300)
    assert lab.machine.status["state"] == "serving"
    assert stages(lab)["cache"]["note"] == note
    restarts = lab.machine.run("systemctl", "show", "--property=NRestarts", "--value", systemd_units.UNIT)
    assert int(restarts.stdout) == starts - 1


def test_systemd_distinguishes_a_stop_from_an_end(lab: Lab) -> None:
    lab.machine.run("systemctl", "stop", systemd_units.UNIT)
    lab.machine.run("sh", "-c", f"echo new >{CACHE}/.baked")
    lab.machine.run("systemctl", "start", systemd_units.UNIT)
    assert lab.machine.read(f"{CACHE}/.baked") == "tried\n"
    lab.machine.run("systemctl", "stop", systemd_units.UNIT)
    assert lab.machine.read(f"{CACHE}/.baked") == "new\n"
    lab.machine.run("systemctl", "start", systemd_units.UNIT)
    wait_for(lambda: lab.machine.run("docker", "kill", CONTAINER).returncode == 0, 10)
    wait_for(lambda: lab.machine.read(f"{CACHE}/.baked") == "dropped\n", 60)
