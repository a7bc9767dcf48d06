"""Functions of the boot script in a shell of their own, with other programs for those that change a machine.

The whole script, on a machine, is in tests/tpu_vm.
"""

import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from serving.deploy import vm_boot
from serving.deploy.vm_boot import Boot

BOOT = Boot(
    release="r",
    image="us-east5-docker.pkg.dev/p/i/vllm@sha256:0",
    disk="",
    secret="",
    bucket="b",
    model="m",
    weights="w/",
    budget=1,
    acceptance=1,
)
LOCK = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (unattended-upgr)"
DPKG_LOCK = "dpkg: error: dpkg frontend lock was locked by another process with pid 7"

Shell = Callable[[str], subprocess.CompletedProcess[str]]


def test_every_value_of_a_boot_is_a_constant_that_the_script_uses() -> None:
    text = vm_boot.script(BOOT)
    constants = re.findall(r"(?m)^readonly ([A-Z]+)=", text)[: len(fields(Boot)) + 1]
    assert {"base", *(field.name for field in fields(Boot))} == {name.lower() for name in constants}
    unused = [name for name in constants if not re.search(rf"\$\{{?{name}\b", text)]
    assert unused == []


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Runs lines after the script's definitions; what the script would report is in the file `report`."""
    text = vm_boot.script(BOOT).replace("RUN=/run/tpuserve", f"RUN={tmp_path}")
    functions, _, _ = text.partition('\nmkdir -p "$RUN"\n')
    # Without its special meaning: what the script waits counts, and not how slow this machine is.
    clock = "unset SECONDS; SECONDS=0"
    sleep = "sleep() { SECONDS=$((SECONDS + $1)); }"
    others = f'{clock}\nboot() {{ echo "$@" >>{tmp_path}/report; }}\n{sleep}\n'

    def run(lines: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", "-c", f"{functions}\n{others}\n{lines}"]
        return subprocess.run(
            command,
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"]},  # as on a machine that boots
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


@pytest.mark.parametrize("words", ["", r"\n  \n"], ids=["none", "blank"])
def test_a_stage_that_fails_without_a_word_is_reported(shell: Shell, tmp_path: Path, words: str) -> None:
    done = shell(f"disk() {{ printf '{words}' >&2; return 3; }}; stage disk; echo went on")
    assert done.returncode == 1 and "went on" not in done.stdout
    report = re.sub(r"\d+\.\d", "S", (tmp_path / "report").read_text()).splitlines()
    assert report == ["report disk running", "report disk failed S The stage ended with code 3 and no word."]


# Each fails as often as the file `left` has lines; `asked` has the order of what was called.
PACKAGES = """
docker() { false; }
attempt() { echo "$1" >>asked; }
dpkg() { attempt "dpkg ${*: -2}"; }
apt-get() {
  attempt "apt-get ${*: -1}"
  [[ ! -s left ]] || { head -n 1 left >&2; sed -i 1d left; return 100; }
}
"""


def test_an_interrupted_installation_is_ended_before_another_begins(shell: Shell, tmp_path: Path) -> None:
    assert shell(f"{PACKAGES} packages").returncode == 0
    assert (tmp_path / "asked").read_text().splitlines() == [
        "dpkg --configure -a",
        "apt-get update",
        "apt-get docker-compose-v2",
    ]


def test_a_lock_is_waited_for(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "left").write_text(f"{LOCK}\n{DPKG_LOCK}\n{LOCK}\n")
    done = shell(f"{PACKAGES} packages")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "asked").read_text().count("apt-get update") == 4


@pytest.mark.parametrize(
    ("why", "times", "cure"),
    [
        (LOCK, 62, "for 300 s another program has held the lock; see which one, then start the boot again."),
        ("E: Unable to fetch", 1, "the subnet needs Cloud NAT, or the image these packages."),
    ],
    ids=["a lock for ever", "no archive"],
)
def test_why_nothing_could_be_installed(
    shell: Shell, tmp_path: Path, why: str, times: int, cure: str
) -> None:
    (tmp_path / "left").write_text(f"{why}\n" * 1000)
    done = shell(f"{PACKAGES} packages")
    expected = "No container runtime, and apt-get could not install docker.io docker-compose-v2"
    assert (done.returncode, done.stderr) == (1, f"{expected} ({why}): {cure}\n")
    # Only a lock goes away by itself.
    assert abs((tmp_path / "asked").read_text().count("apt-get update") - times) <= 1


# The server answers as the file `path` says, the last line for ever; `boot` has the sidecar's words.
ACCEPTANCE = """
systemctl() { cat active; }
answers() {
  local file=${1#/} line
  line=$(head -n 1 "$file")
  [[ $(wc -l <"$file") == 1 ]] || sed -i 1d "$file"
  [[ $line == yes ]]
}
boot() {
  case $1 in
    rejection) if [[ -e rejected ]]; then cat rejected; fi ;;
    *) echo "words of $1" ;;
  esac
}
"""
WAITS: tuple[tuple[str, dict[str, str], int, str], ...] = (
    ("accepted at the second look", {"ready": "no\nyes\n"}, 0, ""),
    ("rejected", {"rejected": "Release r is rejected.\n"}, 1, "Release r is rejected.\n"),
    (
        "no verdict",
        {},
        1,
        "The server was not accepted within 1 s: words of verdict\n",
    ),
    (
        "ended for good",
        {"active": "failed\n", "health": "no\n"},
        1,
        "The server ended 3 times before it was accepted: words of complaint\n",
    ),
    (
        "started again meanwhile: the time counts from its next answer",
        {"health": "no\n" * 9 + "yes\n", "ready": "no\n" * 11 + "yes\n"},
        1,
        "The server was not accepted within 1 s: words of verdict\n",
    ),
    (
        "started again meanwhile and accepted at once",
        {"health": "no\n" * 9 + "yes\n", "ready": "no\n" * 9 + "yes\n"},
        0,
        "",
    ),
)


@pytest.mark.parametrize(("case", "files", "code", "said"), WAITS, ids=[row[0] for row in WAITS])
def test_the_acceptance_is_waited_for(
    shell: Shell, tmp_path: Path, case: str, files: dict[str, str], code: int, said: str
) -> None:
    for name, text in {"active": "active\n", "health": "yes\n", "ready": "no\n", **files}.items():
        (tmp_path / name).write_text(text)
    done = shell(f"{ACCEPTANCE} acceptance")
    assert (done.returncode, done.stderr) == (code, said), case
