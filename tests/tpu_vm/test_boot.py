"""The rendered script on a machine of its own: systemd, apt, mkfs, Docker and Compose are real; the server is
tests/tpu_vm/server.py, except in test_boot_real.py."""

import functools
import json
import mmap
import subprocess
from typing import Any

import pytest

from serving.deploy import compose, systemd_units, vm_boot
from tests.tpu_vm.conftest import MakeLab
from tests.tpu_vm.lab import (
    BUCKET,
    CACHE,
    CANARY,
    LIFECYCLE,
    MODEL,
    PART,
    Lab,
    first_lines,
    furnish,
    simple_release,
    stages,
)
from tests.tpu_vm.machine import ADDRESS, wait_for

STAGES = ("disk", "runtime", "secrets", "image", "weights", "cache", "server", "health", "acceptance")
SECONDS = 300
JOURNAL = f"/var/lib/tpuserve/models/{MODEL}/.model.safetensors.done"
"""File that records which generation is being downloaded, with a line for each part that has arrived."""


@pytest.fixture(scope="module")
def lab(make_lab: MakeLab) -> Lab:
    """Returns a machine that has booted once."""
    lab = furnish(make_lab())
    assert lab.machine.boot(SECONDS)["state"] == "serving", lab.machine.read("/var/log/console")
    return lab


def code(lab: Lab, path: str) -> str:
    """Returns the status with which the server answers `path`."""
    url = f"http://{ADDRESS}:8000{path}"
    return lab.machine.run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", url).stdout


def container(lab: Lab, format: str, name: str = compose.CONTAINER) -> str:
    """Returns what Docker reports about the server, or about another container."""
    return lab.machine.run("docker", "inspect", "--format", format, name).stdout.strip()


def verdict(lab: Lab) -> dict[str, Any]:
    """Returns what the sidecar answers on its port; an empty one while it starts."""
    answer = lab.machine.run("curl", "-s", "http://127.0.0.1:8001/acceptance").stdout
    return json.loads(answer) if answer else {}


def test_the_first_boot_serves_and_reports_each_stage(lab: Lab) -> None:
    assert (code(lab, "/health"), code(lab, "/ready")) == ("200", "200")
    assert tuple(stages(lab)) == (*STAGES, "publish")
    assert all(
        stage["state"] == "done" and float(str(stage["seconds"])) >= 0 for stage in stages(lab).values()
    )
    assert stages(lab)["weights"]["note"] == "2 files, 0.20 GB"
    assert stages(lab)["cache"]["note"] == f"none in gs://{BUCKET}/{CACHE}: this boot compiles"
    assert stages(lab)["publish"]["note"] == "published, 1 programs, 0.00 GB"
    assert (lab.cloud / "objects" / BUCKET / CACHE).read_bytes().startswith(b"manifest.json")
    reported = json.loads((lab.cloud / "guest-attributes.json").read_text())
    assert reported == lab.machine.status
    console = lab.machine.read("/var/log/console").splitlines()
    assert [line.split()[1] for line in console if line.endswith(" s")] == [f"{name}:" for name in STAGES]


def test_the_second_boot_formats_and_downloads_nothing(lab: Lab) -> None:
    before = lab.machine.run("blkid", "-s", "UUID", vm_boot.data_disk()).stdout
    assert lab.machine.shut_down(180)
    lab.forget_requests()
    lab.machine.start()
    assert lab.machine.boot(SECONDS)["state"] == "serving"
    assert lab.machine.run("blkid", "-s", "UUID", vm_boot.data_disk()).stdout == before
    assert stages(lab)["weights"]["note"] == "kept"
    assert stages(lab)["publish"]["note"] == "published before"
    hosts = {(request["host"] or "").partition(":")[0] for request in lab.requests()}
    assert not any(host.endswith(".pkg.dev") for host in hosts)
    assert not any("alt=media" in request["path"] for request in lab.requests())


def test_a_boot_on_a_serving_machine_keeps_the_server(lab: Lab) -> None:
    before = container(lab, "{{.Id}} {{.State.StartedAt}}")
    assert lab.machine.boot(SECONDS)["state"] == "serving"
    assert before
    assert container(lab, "{{.Id}} {{.State.StartedAt}}") == before


def test_an_accepted_release_is_recorded(lab: Lab) -> None:
    release = lab.machine.status["release"]
    recorded = lab.cloud / "objects" / BUCKET / "releases" / f"{release}.json"
    wait_for(recorded.exists, 60)
    assert json.loads(recorded.read_text())["verdict"]["state"] == "accepted"
    results = {check["name"]: check["result"] for check in verdict(lab)["checks"]}
    assert (results["chat"], results["prompts"], results["compiled"]) == ("passed", "passed", "passed")


def test_the_sidecar_comes_back_by_itself_and_the_server_stays(lab: Lab) -> None:
    before, sidecar = container(lab, "{{.State.StartedAt}}"), compose.SIDECAR_CONTAINER
    first = container(lab, "{{.State.StartedAt}}", sidecar)
    lab.machine.run("docker", "kill", sidecar)
    wait_for(lambda: container(lab, "{{.State.StartedAt}}", sidecar) != first, 60)
    wait_for(lambda: verdict(lab).get("state") == "accepted", 60)
    assert container(lab, "{{.State.StartedAt}}") == before
    assert code(lab, "/ready") == "200"


def test_a_server_that_is_started_again_is_accepted_again(lab: Lab) -> None:
    first = verdict(lab)["finished"]
    lab.machine.run("systemctl", "restart", systemd_units.UNIT)
    wait_for(lambda: code(lab, "/ready") == "200", 120)
    assert verdict(lab)["state"] == "accepted"
    assert verdict(lab)["finished"] > first


def test_the_key_is_in_memory_only(lab: Lab) -> None:
    machine = lab.machine
    key = "/var/lib/tpuserve/run/api-key"
    assert machine.read(key) == CANARY
    assert machine.run("stat", "-c", "%a %U %m", key).stdout.split() == [
        "400",
        "root",
        "/var/lib/tpuserve/run",
    ]
    assert machine.run("stat", "-f", "-c", "%T", key).stdout.strip() == "tmpfs"
    for file in ("metadata.json", "guest-attributes.json"):
        assert CANARY not in (lab.cloud / file).read_text()
    found = machine.run(
        "sh",
        "-c",
        f"grep -rlas --exclude-dir=lost+found {CANARY} /etc /var/log /root /home /var/lib/tpuserve/*.* "
        f"/var/lib/tpuserve/cache /var/lib/tpuserve/status /var/lib/tpuserve/docker/containers /run/tpuserve "
        "/run/startup-script; "
        f"journalctl --no-pager | grep -c {CANARY}; "
        f"docker inspect {compose.CONTAINER} {compose.SIDECAR_CONTAINER} | grep -c {CANARY}; ",
    ).stdout.split()
    assert found == ["0", "0"]
    # All processes of this machine except the search itself, whose command line contains the word.
    pattern = f"[{CANARY[0]}]{CANARY[1:]}"
    search = f"grep -las '{pattern}' /proc/[0-9]*/environ /proc/[0-9]*/cmdline"
    assert machine.run("sh", "-c", search).stdout == ""
    with (
        (machine.folder / "disk").open("rb") as disk,
        mmap.mmap(disk.fileno(), 0, prot=mmap.PROT_READ) as data,
    ):
        assert data.find(CANARY.encode()) == -1


def test_compose_finds_the_server_healthy(lab: Lab) -> None:
    wait_for(lambda: container(lab, "{{.State.Health.Status}}") == "healthy", 300)


def test_the_journal_can_be_read(lab: Lab) -> None:
    journal = lab.machine.run("journalctl", "--no-pager", "-u", systemd_units.UNIT).stdout
    assert journal
    assert "blob data" not in journal


def test_docker_keeps_no_login(lab: Lab) -> None:
    assert lab.machine.run("test", "-e", "/run/tpuserve/docker").returncode != 0


def test_a_stop_lets_the_load_balancer_leave_and_ten_streams_end(lab: Lab) -> None:
    url = f"http://{ADDRESS}:8000/v1/completions"
    command = lab.inside("curl", "-sN", "--max-time", "60", "-X", "POST", "-H", "X-Tokens: 9", url)
    streams = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(10)]
    begun = first_lines(streams)
    stopping = subprocess.Popen(lab.machine.command("systemctl", "stop", systemd_units.UNIT))
    # This holds as long as the streams last.
    wait_for(lambda: code(lab, "/health") == "503", 30)
    # Requests are still admitted while load balancers learn of the stop.
    late = subprocess.run(
        lab.inside("curl", "-s", "-X", "POST", "-H", "X-Tokens: 1", url), capture_output=True
    )
    assert late.stdout.endswith(b"[DONE]\n\n")
    answers = [line + stream.communicate()[0] for line, stream in zip(begun, streams, strict=True)]
    assert [answer.count("data:") for answer in answers] == [10] * 10
    assert stopping.wait(300) == 0
    assert lab.machine.run("systemctl", "is-failed", systemd_units.UNIT).returncode != 0
    assert lab.machine.boot(SECONDS)["state"] == "serving"


def test_a_preempted_machine_ends_its_streams_within_googles_window(lab: Lab) -> None:
    url = f"http://{ADDRESS}:8000/v1/completions"
    command = lab.inside("curl", "-sN", "--max-time", "60", "-X", "POST", "-H", "X-Tokens: 15", url)
    streams = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(10)]
    first_lines(streams)
    # Spot machines have 30 seconds between the soft-off signal and the end.
    assert lab.machine.shut_down(30)
    assert all(stream.communicate()[0].endswith("[DONE]\n\n") for stream in streams)
    lab.machine.start()
    assert lab.machine.boot(SECONDS)["state"] == "serving"


def test_another_image_takes_the_place_of_what_nobody_runs(lab: Lab) -> None:
    docker = functools.partial(lab.machine.run, "docker")
    lab.machine.run("systemctl", "stop", systemd_units.UNIT)
    # Another release's image with a container that has ended, and one with a container that runs.
    lab.machine.run("sh", "-c", "tar -c /etc/hostname | docker import - old && docker create old true")
    lab.machine.run("sh", "-c", f"docker export {compose.CONTAINER} | docker import - busy")
    sleep = ("--entrypoint=/opt/vllm/bin/python3", "busy", "-c", "import time; time.sleep(600)")
    docker("run", "--detach", "--name=busy", *sleep)
    docker("rm", "--force", compose.CONTAINER, compose.SIDECAR_CONTAINER)
    docker("image", "rm", "--force", lab.image)
    assert lab.machine.boot(SECONDS)["state"] == "serving", lab.machine.status
    kept = docker("image", "ls", "--format", "{{.Repository}}").stdout.split()
    assert sorted(kept) == ["busy", lab.image.partition("@")[0]]
    running = docker("ps", "--format", "{{.Names}}").stdout.split()
    assert sorted(running) == ["busy", compose.SIDECAR_CONTAINER, compose.CONTAINER]
    docker("rm", "--force", "busy")


def test_a_crash_of_the_server_is_repaired(lab: Lab) -> None:
    before = container(lab, "{{.State.StartedAt}}")
    lab.machine.run("docker", "kill", compose.CONTAINER)
    wait_for(lambda: container(lab, "{{.State.StartedAt}}") != before, 300)
    wait_for(lambda: code(lab, "/health") == "200", 300)


def test_a_server_that_hangs_is_restarted(lab: Lab) -> None:
    before, hang = container(lab, "{{.State.StartedAt}}"), f"/var/lib/tpuserve/models/{MODEL}/hang"
    # Docker counts failures after the first success, or after the time that a boot may take.
    wait_for(lambda: container(lab, "{{.State.Health.Status}}") == "healthy", 300)
    lab.machine.run("touch", hang)
    wait_for(lambda: container(lab, "{{.State.StartedAt}}") != before, 300)
    lab.machine.run("rm", hang)
    wait_for(lambda: code(lab, "/health") == "200", 300)


def test_a_server_that_keeps_ending_stays_down_and_says_why(lab: Lab) -> None:
    crash = f"/var/lib/tpuserve/models/{MODEL}/crash"
    # A boot resets the count of server ends; the tests before this one have used some up.
    lab.machine.boot(SECONDS)
    lab.machine.run("touch", crash)
    lab.machine.run("docker", "kill", compose.CONTAINER)
    sentence = (
        "failed in server: The server ended 3 times and stays down: ValueError: made to fail by a file named"
    )
    wait_for(lambda: str(lab.machine.status["state"]).startswith(sentence), 300)
    assert json.loads((lab.cloud / "guest-attributes.json").read_text()) == lab.machine.status
    lab.machine.run("rm", crash)
    assert lab.machine.boot(SECONDS)["state"] == "serving"


def test_what_systemd_and_compose_think(lab: Lab) -> None:
    for unit in systemd_units.units("r", LIFECYCLE, 0):
        verified = lab.machine.run("systemd-analyze", "verify", f"/etc/systemd/system/{unit}")
        assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", ""), unit
    resolved = lab.machine.run(
        "docker", "compose", "-f", "/var/lib/tpuserve/compose.yaml", "config", "--format", "json"
    )
    assert resolved.stderr == ""
    service = json.loads(resolved.stdout)["services"]["vllm"]
    release = simple_release(lab.image, MODEL)
    argv = list(release.argv(ADDRESS))
    # `config` doubles the dollar sign again; the running process has the intended words.
    assert [word.replace("$$", "$") for word in service["entrypoint"]] == argv
    assert dict(release.environment).items() <= service["environment"].items()
    show = (
        "--entrypoint",
        "python3",
        lab.image,
        "-c",
        "import json, os; print(json.dumps(dict(os.environ)))",
    )
    plain = lab.machine.run("docker", "run", "--rm", "--env-file", "/var/lib/tpuserve/vllm.env", *show).stdout
    assert dict(release.environment).items() <= json.loads(plain).items()


def test_a_new_key_reaches_a_machine_that_boots(make_lab: MakeLab) -> None:
    lab = furnish(make_lab())
    lab.faults(hold_from=PART)
    lab.machine.run("systemctl", "start", "--no-block", "google-startup-scripts")
    wait_for(lambda: bool(lab.machine.status) and "weights" in stages(lab), SECONDS)
    lab.secret("a-new-key")
    lab.machine.run("systemctl", "restart", "google-startup-scripts")
    assert lab.machine.read("/var/lib/tpuserve/run/api-key") == "a-new-key"
    assert stages(lab)["weights"]["state"] == "running"
    console = lab.machine.read("/var/log/console").splitlines()
    assert console[-1] == "tpuserve: another boot is running"
    lab.faults()
    wait_for(lambda: lab.machine.status.get("state") == "serving", SECONDS)


def test_power_cut_in_each_stage_then_a_boot_that_serves(make_lab: MakeLab) -> None:
    lab = furnish(make_lab())
    lab.faults(hold_from=PART)
    for name in STAGES:
        lab.machine.run("systemctl", "start", "--no-block", "google-startup-scripts")

        def running(stage: str = name) -> bool:
            return bool(lab.machine.status) and stage in stages(lab)

        wait_for(running, SECONDS)
        if name == "weights":
            # Wait until the one part that arrives is on the disk; the others are held for a minute.
            wait_for(lambda: len(lab.machine.read(JOURNAL).splitlines()) == 2, 50)
        lab.machine.unplug()
        lab.machine.start()
        if name == "weights":
            lab.faults()
            lab.forget_requests()
    assert lab.machine.boot(SECONDS)["state"] == "serving"
    # One part had arrived before the cut, and was not requested again.
    asked = {request["range"] for request in lab.requests() if "model.safetensors?alt" in request["path"]}
    assert len(asked) == 3
