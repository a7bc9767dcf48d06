"""The whole boot with vLLM's TPU backend itself, from an empty disk to a completion, twice."""

import json
import subprocess
from typing import Any
from urllib.parse import quote

import pytest

from local import image
from local.image import constants
from serving.deploy import compose, container_layout, systemd_units
from tests.tpu_vm.cloud import METADATA_ADDRESS
from tests.tpu_vm.conftest import MakeLab
from tests.tpu_vm.lab import BUCKET, CACHE, CANARY, Lab, first_lines, vllm_release
from tests.tpu_vm.machine import ADDRESS

SECONDS = 900
URL = f"http://{ADDRESS}:{container_layout.PORT}"


@pytest.fixture(scope="module")
def lab(make_lab: MakeLab) -> Lab:
    """Returns a machine that has booted from an empty disk, with everything in the bucket."""
    lab = make_lab(disk_bytes=8 * 2**30, real=True)
    lab.secret(CANARY)
    lab.stage(constants.MODEL_NAME, image.ensure_model())
    release, life, sidecar = vllm_release(lab.image)
    lab.template(release, model=constants.MODEL_NAME, lifecycle=life, sidecar=sidecar)
    lab.machine.start()
    status = lab.machine.boot(SECONDS)
    assert status["state"] == "serving", (
        status,
        lab.machine.run("journalctl", "-u", systemd_units.UNIT).stdout[-4000:],
    )
    assert events(lab)["warm_up"]["misses"] > 0
    published = str(status["stages"]["publish"]["note"])  # pyright: ignore[reportIndexIssue]
    assert published.startswith("published, "), published
    return lab


def ask(lab: Lab, path: str, body: object, key: str = CANARY) -> list[str]:
    """Returns a command line that posts `body`; its last line of output is the status."""
    return lab.inside(
        *("curl", "-sN", "--max-time", "600", "-w", "\n%{http_code}", f"{URL}{path}"),
        *(
            "-H",
            f"Authorization: Bearer {key}",
            "-H",
            "Content-Type: application/json",
            "-d",
            json.dumps(body),
        ),
    )


def chat(tokens: int, **more: object) -> dict[str, object]:
    message = {"role": "user", "content": "Say something."}
    return {"model": constants.MODEL_NAME, "messages": [message], "max_tokens": tokens, **more}


def events(lab: Lab) -> dict[str, Any]:
    """Returns this boot's counts of the compile cache (agent/server/compile_cache_events.py)."""
    show = f"print(open({container_layout.CACHE_EVENTS_FILE!r}).read())"
    return json.loads(lab.machine.run("docker", "exec", compose.CONTAINER, "python3", "-c", show).stdout)


def test_from_an_empty_disk_to_a_completion(lab: Lab) -> None:
    answer = subprocess.run(ask(lab, "/v1/chat/completions", chat(8)), capture_output=True, text=True)
    body, _, code = answer.stdout.rpartition("\n")
    assert code == "200", body
    assert json.loads(body)["usage"]["completion_tokens"] == 8
    refused = subprocess.run(
        ask(lab, "/v1/chat/completions", chat(8), key="wrong"), capture_output=True, text=True
    )
    assert refused.stdout.endswith("\n401")


def test_nothing_else_listens_to_the_network(lab: Lab) -> None:
    """Only the server has the internal address; vLLM's processes talk to each other on loopback."""
    sockets = lab.machine.run("ss", "-Hltn").stdout.splitlines()
    addresses = {line.split()[3] for line in sockets}
    outside = {address for address in addresses if not address.startswith(("127.", "[::1]"))}
    # The stand-in for Google's metadata server shares the network.
    assert outside == {f"{ADDRESS}:{container_layout.PORT}", f"{METADATA_ADDRESS}:80"}


def test_a_stop_with_ten_streams_in_flight_loses_none(lab: Lab) -> None:
    words = ask(lab, "/v1/chat/completions", chat(80, stream=True, ignore_eos=True))
    streams = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(10)]
    first_lines(streams)
    lab.machine.run("systemctl", "stop", systemd_units.UNIT)
    answers = [stream.communicate()[0] for stream in streams]
    tails = [answer[-200:] for answer in answers if not answer.rstrip().endswith("data: [DONE]\n\n\n200")]
    assert tails == []


def test_a_boot_from_the_published_cache_compiles_nothing(lab: Lab) -> None:
    lab.machine.run("rm", "-r", "/var/lib/tpuserve/cache/xla")
    lab.machine.shut_down(180)
    lab.forget_requests()
    lab.machine.start()
    status = lab.machine.boot(SECONDS)
    assert status["state"] == "serving", status
    counts = events(lab)
    assert counts["warm_up"]["misses"] == 0, counts
    assert counts["warm_up"]["hits"] > 0, counts
    # Which small operations a request compiles depends on the batch that it meets, so their number varies.
    assert counts["slow_programs"] == 0, counts
    fetched = {
        request["path"].partition("?")[0] for request in lab.requests() if "alt=media" in request["path"]
    }
    objects = f"/storage/v1/b/{BUCKET}/o/"
    programs = {path for path in fetched if not path.startswith(f"{objects}baselines")}
    assert programs == {f"{objects}{quote(CACHE, safe='')}"}


def test_the_key_is_in_no_log_of_the_real_server(lab: Lab) -> None:
    journal = lab.machine.run("journalctl", "--no-pager").stdout
    assert constants.MODEL_NAME in journal
    assert CANARY not in journal
    searched = "/var/log /etc /run/tpuserve /var/lib/tpuserve/cache /var/lib/tpuserve/docker/containers"
    assert lab.machine.run("sh", "-c", f"grep -rlas {CANARY} {searched}").stdout == ""
