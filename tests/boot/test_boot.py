"""The rendered script on a machine of its own: systemd, apt, mkfs, Docker and Compose are real; the server is
tests/boot/server.py, except in test_boot_real.py."""

import json
import mmap
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from serving import boot
from tests.boot.conftest import MakeLab
from tests.boot.lab import BUCKET, CACHE, CANARY, Lab, simple_release
from tests.boot.machine import ADDRESS, wait_for

MODEL = "m"
STAGES = ("disk", "runtime", "secrets", "image", "weights", "cache", "server", "ready")
SECONDS = 300
PART = 64 * 2**20


def furnish(lab: Lab) -> Lab:
    """Everything in its place: key, weights, template; and the power on."""
    lab.secret(CANARY)
    lab.stage(MODEL, {"model.safetensors": b"w" * (3 * PART + 5), "config.json": b"{}"})
    lab.template(simple_release(lab.image, MODEL), model=MODEL)
    lab.machine.start()
    return lab


@pytest.fixture(scope="module")
def lab(make_lab: MakeLab) -> Lab:
    """A machine that has booted once."""
    lab = furnish(make_lab())
    assert lab.machine.boot(SECONDS)["state"] == "serving", lab.machine.read("/var/log/console")
    return lab


def stages(lab: Lab) -> dict[str, dict[str, object]]:
    return lab.machine.status["stages"]  # pyright: ignore[reportReturnType]


def health(lab: Lab) -> str:
    url = f"http://{ADDRESS}:8000/health"
    return lab.machine.run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", url).stdout


def test_the_first_boot_serves_and_tells_each_stage(lab: Lab) -> None:
    assert health(lab) == "200"
    assert tuple(stages(lab)) == STAGES
    assert all(
        stage["state"] == "done" and float(str(stage["seconds"])) >= 0 for stage in stages(lab).values()
    )
    assert stages(lab)["weights"]["note"] == "2 files, 0.20 GB"
    assert stages(lab)["cache"]["note"] == f"none in gs://{BUCKET}/{CACHE}: this boot compiles"
    reported = json.loads((lab.cloud / "guest-attributes.json").read_text())
    assert reported == lab.machine.status
    console = lab.machine.read("/var/log/console").splitlines()
    assert [line.split()[1] for line in console if line.endswith(" s")] == [f"{name}:" for name in STAGES]


def test_the_second_boot_formats_and_downloads_nothing(lab: Lab) -> None:
    before = lab.machine.run("blkid", "-s", "UUID", boot.data_disk()).stdout
    assert lab.machine.shut_down(60)
    lab.forget_requests()
    lab.machine.start()
    assert lab.machine.boot(SECONDS)["state"] == "serving"
    assert lab.machine.run("blkid", "-s", "UUID", boot.data_disk()).stdout == before
    assert stages(lab)["weights"]["note"] == "kept"
    hosts = {(request["host"] or "").partition(":")[0] for request in lab.requests()}
    assert not any(host.endswith(".pkg.dev") for host in hosts)
    assert not any("alt=media" in request["path"] for request in lab.requests())


def test_a_boot_on_a_serving_machine_leaves_the_server_alone(lab: Lab) -> None:
    inspect = ("docker", "inspect", "--format", "{{.Id}} {{.State.StartedAt}}", "tpuserve-vllm-1")
    before = lab.machine.run(*inspect).stdout
    assert lab.machine.boot(SECONDS)["state"] == "serving"
    assert before
    assert lab.machine.run(*inspect).stdout == before


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
        f"/var/lib/tpuserve/cache /var/lib/tpuserve/docker/containers /run/tpuserve /run/startup-script; "
        f"journalctl --no-pager | grep -c {CANARY}; docker inspect tpuserve-vllm-1 | grep -c {CANARY}; ",
    ).stdout.split()
    assert found == ["0", "0"]
    # Of this machine's processes all but the search itself, whose command line has the word.
    pattern = f"[{CANARY[0]}]{CANARY[1:]}"
    search = f"grep -las '{pattern}' /proc/[0-9]*/environ /proc/[0-9]*/cmdline"
    assert machine.run("sh", "-c", search).stdout == ""
    with (
        (machine.folder / "disk").open("rb") as disk,
        mmap.mmap(disk.fileno(), 0, prot=mmap.PROT_READ) as data,
    ):
        assert data.find(CANARY.encode()) == -1


def test_docker_keeps_no_login(lab: Lab) -> None:
    assert lab.machine.run("test", "-e", "/run/tpuserve/docker").returncode != 0


def test_a_stop_lets_the_load_balancer_leave_and_ten_streams_end(lab: Lab) -> None:
    url = f"http://{ADDRESS}:8000/v1/completions"
    command = lab.inside("curl", "-sN", "--max-time", "60", "-X", "POST", "-H", "X-Tokens: 9", url)
    streams = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(10)]
    time.sleep(2)
    stopping = subprocess.Popen(lab.machine.command("systemctl", "stop", boot.UNIT))
    wait_for(lambda: health(lab) == "503", 3)
    # Still admitted while load balancers learn.
    late = subprocess.run(
        lab.inside("curl", "-s", "-X", "POST", "-H", "X-Tokens: 1", url), capture_output=True
    )
    assert late.stdout.endswith(b"[DONE]\n\n")
    answers = [stream.communicate()[0] for stream in streams]
    assert [answer.count("data:") for answer in answers] == [10] * 10
    assert stopping.wait(60) == 0
    assert lab.machine.run("systemctl", "is-failed", boot.UNIT).returncode != 0
    assert lab.machine.boot(SECONDS)["state"] == "serving"


def test_a_preempted_machine_ends_its_streams_within_googles_window(lab: Lab) -> None:
    url = f"http://{ADDRESS}:8000/v1/completions"
    command = lab.inside("curl", "-sN", "--max-time", "60", "-X", "POST", "-H", "X-Tokens: 15", url)
    streams = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(10)]
    time.sleep(1)
    # Spot machines have 30 seconds between the soft-off signal and the end.
    assert lab.machine.shut_down(30)
    assert all(stream.communicate()[0].endswith("[DONE]\n\n") for stream in streams)
    lab.machine.start()
    assert lab.machine.boot(SECONDS)["state"] == "serving"


def test_a_crash_of_the_server_is_mended(lab: Lab) -> None:
    lab.machine.run("docker", "kill", "tpuserve-vllm-1")
    wait_for(lambda: health(lab) == "000", 20)
    wait_for(lambda: health(lab) == "200", 60)


def test_what_systemd_and_compose_think(lab: Lab) -> None:
    verified = lab.machine.run("systemd-analyze", "verify", f"/etc/systemd/system/{boot.UNIT}")
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")
    resolved = lab.machine.run(
        "docker", "compose", "-f", "/var/lib/tpuserve/compose.yaml", "config", "--format", "json"
    )
    assert resolved.stderr == ""
    service = json.loads(resolved.stdout)["services"]["vllm"]
    release = simple_release(lab.image, MODEL)
    argv = list(release.argv)
    argv[argv.index("--host") + 1] = ADDRESS
    # `config` doubles the dollar again; the running process has the words as they were meant.
    assert [word.replace("$$", "$") for word in service["entrypoint"]] == argv
    assert dict(release.environment).items() <= service["environment"].items()
    plain = lab.machine.run(
        "docker",
        "run",
        "--rm",
        "--env-file",
        "/var/lib/tpuserve/vllm.env",
        "--entrypoint",
        "/usr/bin/env",
        lab.image,
    ).stdout
    for name, value in release.environment:
        assert f"{name}={value}" in plain.splitlines()


def test_power_cut_in_each_stage_then_a_boot_that_serves(make_lab: MakeLab) -> None:
    lab = furnish(make_lab())
    lab.faults(hold_after=1)
    for name in STAGES:
        lab.machine.run("systemctl", "start", "--no-block", "google-startup-scripts")

        def running(stage: str = name) -> bool:
            return bool(lab.machine.status) and stage in stages(lab)

        wait_for(running, SECONDS)
        if name == "weights":
            wait_for(lambda: any("alt=media" in request["path"] for request in lab.requests()), 60)
            time.sleep(2)
        lab.machine.unplug()
        lab.machine.start()
        if name == "weights":
            lab.faults()
            lab.forget_requests()
    assert lab.machine.boot(SECONDS)["state"] == "serving"
    # One part had arrived before the cut, and was not asked for again.
    asked = {request["range"] for request in lab.requests() if "model.safetensors?alt" in request["path"]}
    assert len(asked) == 3


Prepare = Callable[[Lab], None]


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
        "credentials.): see whether the account is disabled or deleted.",
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
        "ready",
        "The server ended 3 times before it was ready: ValueError: made to fail by a file named crash",
    ),
)


@pytest.fixture(scope="module")
def failing(make_lab: MakeLab) -> Lab:
    """A machine with a disk that the image, but no second model, fits on."""
    return furnish(make_lab(disk_bytes=2 * 2**30))


@pytest.mark.parametrize(("case", "prepare", "stage", "sentence"), FAILURES, ids=[row[0] for row in FAILURES])
def test_a_failure_is_one_sentence(
    failing: Lab, case: str, prepare: Prepare, stage: str, sentence: str
) -> None:
    prepare(failing)
    status = failing.machine.boot(SECONDS)
    told = stages(failing)[stage]
    assert told["state"] == "failed", (case, status, failing.machine.read("/var/log/console"))
    assert str(told["reason"]).startswith(sentence)
    assert "\n" not in str(told["reason"])
    assert status["state"] == f"failed in {stage}: {told['reason']}"
    assert json.loads((failing.cloud / "guest-attributes.json").read_text()) == status
    # As it was, for the next row.
    failing.faults()
    failing.secret(CANARY)
    failing.template(simple_release(failing.image, MODEL), model=MODEL)
    for name in ("more.safetensors", "crash"):
        (failing.cloud / "objects" / BUCKET / WEIGHTS / name).unlink(missing_ok=True)
    if stage == "ready":
        failing.machine.run("sh", "-c", "rm -rf /var/lib/tpuserve/models/*")


def test_a_mended_machine_boots(failing: Lab) -> None:
    assert failing.machine.boot(SECONDS)["state"] == "serving"


def test_a_damaged_cache_archive_is_a_miss(failing: Lab) -> None:
    failing.machine.run("systemctl", "stop", boot.UNIT)
    failing.machine.run("rm", "-rf", "/var/lib/tpuserve/cache/xla")
    failing.archive(b"this is no archive")
    assert failing.machine.boot(SECONDS)["state"] == "serving"
    note = str(stages(failing)["cache"]["note"])
    assert note.startswith("not restored (the archive is damaged: ")
    assert note.endswith("): this boot compiles")


def test_a_cache_archive_is_restored_once(failing: Lab, tmp_path: Path) -> None:
    (tmp_path / "program-cache").write_text("compiled")
    archive = tmp_path / "a.tar.zst"
    subprocess.run(["tar", "--zstd", "-cf", archive, "-C", tmp_path, "program-cache"], check=True)
    failing.archive(archive.read_bytes())
    for note in ("restored, 1 files", "kept, 1 files"):
        assert failing.machine.boot(SECONDS)["state"] == "serving"
        assert stages(failing)["cache"]["note"] == note
    assert failing.machine.read("/var/lib/tpuserve/cache/xla/program-cache") == "compiled"


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
def test_a_disk_with_content_is_left_alone(make_lab: MakeLab, case: str, command: str, sentence: str) -> None:
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
    lab.machine.run("rm", boot.data_disk())
    lab.machine.boot(SECONDS)
    assert stages(lab)["disk"]["reason"] == (
        f"The data disk {boot.data_disk()} is not attached: the template must have a disk of that name."
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
