"""Failures of a booting machine, and the one sentence that reports each of them."""

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace

import pytest

from serving.deploy import systemd_units, vm_boot
from tests.tpu_vm.conftest import MakeLab
from tests.tpu_vm.lab import (
    BUCKET,
    CACHE,
    CANARY,
    LIFECYCLE,
    MODEL,
    Lab,
    furnish,
    sidecar_settings,
    simple_release,
    stages,
)
from tests.tpu_vm.machine import ADDRESS
from tests.unit.agent.bucket import archive

SECONDS = 300

Prepare = Callable[[Lab], object]


def write(*path: str, data: bytes = b"") -> Prepare:
    def prepare(lab: Lab) -> None:
        file = lab.cloud.joinpath("objects", BUCKET, *path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    return prepare


WEIGHTS = f"weights/0123abc/{MODEL}"
FAILURES: tuple[tuple[str, Prepare, str, str], ...] = (
    (
        "a token that nobody accepts",
        lambda lab: (lab.template(simple_release(lab.image, MODEL), model=MODEL, token="stolen"), None)[1],
        "secrets",
        "Secret Manager does not accept the token of vm@p.iam (HTTP 401: Request had invalid authentication "
        "credentials.): check whether the account is disabled or deleted.",
    ),
    (
        "no permission for the secret",
        lambda lab: lab.faults(secretmanager=403),
        "secrets",
        "vm@p.iam may not read projects/p/secrets/tpuserve-api-key-dev (HTTP 403: made to fail with 403): "
        "grant it roles/secretmanager.secretAccessor on that secret.",
    ),
    (
        "a secret without a version",
        lambda lab: lab.secret(None),
        "secrets",
        "projects/p/secrets/tpuserve-api-key-dev/versions/latest does not exist: add the key with `gcloud "
        "secrets versions add tpuserve-api-key-dev --data-file=-`.",
    ),
    (
        "an empty secret",
        lambda lab: lab.secret("\n"),
        "secrets",
        "projects/p/secrets/tpuserve-api-key-dev/versions/latest is empty: add a version with a key to "
        "projects/p/secrets/tpuserve-api-key-dev.",
    ),
    (
        "no permission for the image",
        lambda lab: lab.faults(**{"us-east5-docker": 403}),
        "image",
        "us-east5-docker.pkg.dev does not accept the VM's token (",
    ),
    (
        "no permission for the bucket",
        lambda lab: lab.faults(storage=403),
        "weights",
        "vm@p.iam may not read gs://p-tpuserve (HTTP 403: made to fail with 403): grant it "
        "roles/storage.objectViewer there.",
    ),
    (
        "no bucket",
        lambda lab: lab.template(simple_release(lab.image, MODEL), model=MODEL, bucket="gone") and None,
        "weights",
        "The bucket gone does not exist: deploy the foundation first.",
    ),
    (
        "no weights",
        lambda lab: (
            lab.template(simple_release(lab.image, MODEL), model=MODEL, weights="weights/x/m/") and None
        ),
        "weights",
        "gs://p-tpuserve/weights/x/m/ holds no weights: stage them there (docs/operations-tpu-vm.md, "
        '"Weights").',
    ),
    (
        "weights without a checksum",
        lambda lab: lab.faults(composite=f"{WEIGHTS}/model.safetensors"),
        "weights",
        f"gs://p-tpuserve/{WEIGHTS}/model.safetensors has no MD5, because it was uploaded in pieces: upload "
        "it again after `gcloud config set storage/parallel_composite_upload_enabled False`.",
    ),
    (
        "weights that arrive damaged",
        lambda lab: lab.faults(corrupt=f"{WEIGHTS}/model.safetensors"),
        "weights",
        f"Damaged twice on the way: {WEIGHTS}/model.safetensors in gs://p-tpuserve: upload it again.",
    ),
    (
        "weights that break off",
        lambda lab: lab.faults(cut=f"{WEIGHTS}/model.safetensors"),
        "weights",
        f"gs://p-tpuserve/{WEIGHTS}/model.safetensors broke off 3 times at byte ",
    ),
    (
        "weights that do not fit",
        write(WEIGHTS, "more.safetensors", data=b"w" * (2 * 2**30)),
        "weights",
        "/var/lib/tpuserve/models/m needs ",
    ),
    (
        "a server that ends each time",
        write(WEIGHTS, "crash"),
        "health",
        "The server ended 3 times before it was accepted: ValueError: made to fail by a file named crash",
    ),
)


@pytest.fixture(scope="module")
def failing(make_lab: MakeLab) -> Lab:
    """Returns a machine with a disk that has room for the image but not for a second model."""
    return furnish(make_lab(disk_bytes=2 * 2**30))


@pytest.mark.parametrize(("case", "prepare", "stage", "sentence"), FAILURES, ids=[row[0] for row in FAILURES])
def test_a_failure_is_one_sentence(
    failing: Lab, case: str, prepare: Prepare, stage: str, sentence: str
) -> None:
    prepare(failing)
    status = failing.machine.boot(SECONDS)
    report = stages(failing)[stage]
    assert report["state"] == "failed", (case, status, failing.machine.read("/var/log/console"))
    assert str(report["reason"]).startswith(sentence)
    assert "\n" not in str(report["reason"])
    assert status["state"] == f"failed in {stage}: {report['reason']}"
    assert json.loads((failing.cloud / "guest-attributes.json").read_text()) == status
    # Clear the faults for the next row.
    failing.faults()
    failing.secret(CANARY)
    failing.template(simple_release(failing.image, MODEL), model=MODEL)
    for name in ("more.safetensors", "crash"):
        (failing.cloud / "objects" / BUCKET / WEIGHTS / name).unlink(missing_ok=True)
    if stage == "health":
        failing.machine.run("sh", "-c", "rm -rf /var/lib/tpuserve/models/*")


def test_a_repaired_machine_boots(failing: Lab) -> None:
    assert failing.machine.boot(SECONDS)["state"] == "serving"


def test_a_server_with_a_wrong_answer_stays_up_without_traffic(failing: Lab) -> None:
    wrong = f"/var/lib/tpuserve/models/{MODEL}/wrong"
    failing.machine.run("systemctl", "stop", systemd_units.UNIT)
    failing.machine.run("touch", wrong)
    status = failing.machine.boot(SECONDS)
    reason = str(stages(failing)["acceptance"]["reason"])
    assert re.fullmatch(
        r"Release \w{8} is rejected by prompts: The answer to 'What is the capital of France\?' lacks "
        r"'Paris': 'Lyon'\.",
        reason,
    ), reason
    assert status["state"] == f"failed in acceptance: {reason}"
    assert json.loads((failing.cloud / "guest-attributes.json").read_text()) == status
    assert answer(failing, "/health").endswith(" 200")
    assert answer(failing, "/ready").endswith(" 503")
    restarts = ("systemctl", "show", "--property=NRestarts,ActiveState", systemd_units.UNIT)
    assert failing.machine.run(*restarts).stdout.split() == ["NRestarts=0", "ActiveState=active"]
    # The next boot is another attempt.
    failing.machine.run("rm", wrong)
    assert failing.machine.boot(SECONDS)["state"] == "serving"
    assert answer(failing, "/ready").endswith(" 200")


def answer(lab: Lab, path: str) -> str:
    """Returns the server's answer to `path`, its status last."""
    url = f"http://{ADDRESS}:8000{path}"
    return lab.machine.run("curl", "-s", "-w", " %{http_code}", url).stdout


def test_without_a_sidecar_the_boot_says_so(failing: Lab) -> None:
    failing.machine.run("systemctl", "stop", systemd_units.UNIT)
    release = simple_release(failing.image, MODEL)
    short = replace(LIFECYCLE, acceptance_seconds=5)
    broken = {**sidecar_settings(release, MODEL, short), "server": {}}
    failing.template(release, model=MODEL, sidecar=broken, lifecycle=short)
    failing.machine.boot(SECONDS)
    assert stages(failing)["acceptance"]["reason"] == (
        "The server was not accepted within 5 s: the sidecar has given no verdict; see journalctl -u "
        "tpuserve-sidecar."
    )
    failing.template(simple_release(failing.image, MODEL), model=MODEL)
    assert failing.machine.boot(SECONDS)["state"] == "serving"


def forget_cache(lab: Lab) -> None:
    lab.machine.run("systemctl", "stop", systemd_units.UNIT)
    lab.machine.run("rm", "-rf", "/var/lib/tpuserve/cache/xla")


def test_a_damaged_cache_archive_is_a_miss(failing: Lab) -> None:
    forget_cache(failing)
    failing.archive(b"this is no archive")
    assert failing.machine.boot(SECONDS)["state"] == "serving"
    note = str(stages(failing)["cache"]["note"])
    assert note.startswith("not restored (the archive is damaged: ")
    assert note.endswith("): this boot compiles")


def test_a_cache_archive_is_restored_once(failing: Lab) -> None:
    failing.archive(archive({"program-cache": "compiled elsewhere"}, CACHE))
    forget_cache(failing)
    for note in ("restored, 1 programs", "kept, 1 programs"):
        assert failing.machine.boot(SECONDS)["state"] == "serving"
        assert stages(failing)["cache"]["note"] == note
    assert failing.machine.read("/var/lib/tpuserve/cache/xla/program-cache") == "compiled elsewhere"


# 446 bytes of program, one Linux partition of 1,000 sectors from 2,048 on, three empty entries, signature.
MBR = "%0446d" + r"\0\0\1\0\203\1\1\1\0\10\0\0\350\3\0\0" + r"\0" * 48 + r"\125\252"
DISKS = (
    ("another file system", "mkfs.ext4 -q -L mine", "holds something else (LABEL=mine TYPE=ext4)"),
    ("partitions", f"printf '{MBR}' | dd status=none conv=notrunc of=", "holds something else (PTTYPE=dos)"),
    (
        "bytes without a meaning",
        "dd if=/dev/urandom bs=4096 count=1 status=none of=",
        "is not empty and holds no",
    ),
)


@pytest.mark.parametrize(("case", "command", "sentence"), DISKS, ids=[row[0] for row in DISKS])
def test_a_disk_with_content_is_not_changed(
    make_lab: MakeLab, case: str, command: str, sentence: str
) -> None:
    lab = make_lab(disk_bytes=64 * 2**20)
    space = "" if command.endswith("=") else " "
    subprocess.run(f"{command}{space}{lab.machine.loop}", shell=True, check=True)
    before = (lab.machine.folder / "disk").read_bytes()
    furnish(lab)
    assert lab.machine.boot(SECONDS)["state"] != "serving"
    assert sentence in str(stages(lab)["disk"]["reason"])
    assert (lab.machine.folder / "disk").read_bytes() == before


def test_a_machine_without_its_disk(make_lab: MakeLab) -> None:
    lab = furnish(make_lab(disk_bytes=64 * 2**20))
    lab.machine.run("rm", vm_boot.data_disk())
    lab.machine.boot(SECONDS)
    assert stages(lab)["disk"]["reason"] == (
        f"The data disk {vm_boot.data_disk()} is not attached: the template must have a disk of that name."
    )


def test_a_machine_without_a_runtime_and_without_an_archive(make_lab: MakeLab) -> None:
    lab = make_lab()
    lab.machine.write("/etc/apt/sources.list", "")
    furnish(lab)
    lab.machine.boot(SECONDS)
    reason = str(stages(lab)["runtime"]["reason"])
    assert reason.startswith(
        "No container runtime, and apt-get could not install docker.io docker-compose-v2 ("
    )
    assert reason.endswith("): the subnet needs Cloud NAT, or the image these packages.")


# State that a reset leaves: unpacked but not set up (no group "docker", without which its socket does not
# start), and a change that dpkg recorded but did not make. Another process reads the lists meanwhile.
INTERRUPT = r"""
apt-get update
plan=$(apt-get --simulate --no-install-recommends install docker.io docker-compose-v2)
for name in $(echo "$plan" | sed -n 's/^Inst \([^ ]*\).*/\1/p'); do
  dpkg --unpack /opt/archive/$name[_.]*deb
done
dpkg --status bash >/var/lib/dpkg/updates/0001
"""
LOCK = """
import fcntl, json, pathlib, time
file = open("/var/lib/apt/lists/lock", "w")
fcntl.lockf(file, fcntl.LOCK_EX)
print("locked", flush=True)
status = pathlib.Path("/run/tpuserve/status.json")
while not (status.exists() and "runtime" in json.loads(status.read_text())["stages"]):
    time.sleep(0.1)
time.sleep(12)
"""


def test_an_installation_that_was_interrupted_is_ended_when_nobody_else_installs(make_lab: MakeLab) -> None:
    lab = furnish(make_lab())
    interrupted = lab.machine.run("sh", "-c", INTERRUPT)
    assert lab.machine.run("docker", "compose", "version").returncode == 0, interrupted.stderr
    assert "dpkg was interrupted" in lab.machine.run("apt-get", "install", "--yes", "docker.io").stderr
    locked = subprocess.Popen(lab.machine.command("python3", "-c", LOCK), stdout=subprocess.PIPE, text=True)
    assert locked.stdout is not None and locked.stdout.readline() == "locked\n"
    assert lab.machine.boot(SECONDS)["state"] == "serving", lab.machine.status
    assert locked.wait(300) == 0
    assert float(str(stages(lab)["runtime"]["seconds"])) > 10


def test_a_template_without_files(make_lab: MakeLab) -> None:
    lab = furnish(make_lab())
    metadata = json.loads((lab.cloud / "metadata.json").read_text())
    del metadata["attributes"]["tpuserve-files"]
    (lab.cloud / "metadata.json").write_text(json.dumps(metadata))
    lab.machine.boot(SECONDS)
    assert lab.machine.read("/var/log/console").splitlines()[-1] == (
        "tpuserve: files failed: The metadata attribute tpuserve-files is missing or damaged: make the "
        "template again."
    )
