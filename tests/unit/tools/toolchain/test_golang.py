"""Building and installing: whole or not at all, once for all who ask, and plain about failures."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.signals import ordinary
from tools.support import paths
from tools.support.progress import Refusal
from tools.toolchain import debian, golang
from tools.toolchain.programs import PROGRAMS, GoFamily, GoModule, ModuleFile, Packaged

SECONDS = 120
"""Bounds a failure; a busy machine takes its time."""

# Builds "programs" that are a line of text, counts its builds, and waits while the file `hold` exists.
FAKE_GO = """#!/bin/sh
case "$1" in
  version) echo go version go1.99.0 linux/amd64 ;;
  mod)
    [ -e "$FAKE/offline" ] && echo '{"Error": "dial tcp: refused"}' && exit 1
    echo "{\\"Dir\\": \\"$FAKE/module\\"}"
    ;;
  build)
    echo built >> "$FAKE/count"
    while [ -e "$FAKE/hold" ]; do sleep 0.05; done
    packages=no
    for word; do
      if [ $packages = yes ]; then cp schema.json "$target${word##*/}"; fi
      if [ "$previous" = -o ]; then target=$word packages=yes; fi
      previous=$word
    done
    [ -e "$FAKE/broken" ] && echo "main.go:7: undefined: nonsense" && exit 1
    exit 0
    ;;
esac
"""
MODULE = GoModule("samples")
FAMILY = GoFamily(
    name="sample",
    requirement="example.org/sample",
    module=MODULE,
    programs={"one": "example.org/sample/one", "two": "example.org/sample/two"},
    version_variables=("example.org/sample.Version=v{version}",),
    sources=(ModuleFile(module="example.org/sample", path="cmd/schema.json", version="1.2.3"),),
    installs=(ModuleFile(module="example.org/sample", path="cmd/helper"),),
    scripts={"launcher": "#!/bin/sh\necho launched\n"},
)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with the fake Go, an empty cache and one family; the folder of the fake's switches."""
    root = tmp_path / "fake"
    (root / "bin").mkdir(parents=True)
    (root / "bin" / "go").write_text(FAKE_GO, "utf-8")
    (root / "bin" / "go").chmod(0o755)
    commands = root / "module" / "cmd"
    commands.mkdir(parents=True)
    (commands / "schema.json").write_text('{"name": "sample"}', "utf-8")
    (commands / "helper").write_text("helper", "utf-8")
    (commands / "helper").chmod(0o444)
    sample = root / "go" / "samples"
    sample.mkdir(parents=True)
    (sample / "go.mod").write_text("go 1.24.0\n\nrequire example.org/sample v1.2.3\n", "utf-8")
    (sample / "go.sum").write_text("sums\n", "utf-8")
    monkeypatch.setenv("FAKE", str(root))
    monkeypatch.setenv("PATH", f"{root / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("TPUSERVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("tools.toolchain.programs.GO_FOLDER", root / "go")
    MODULE.__dict__.pop("go_mod", None)
    return root


def _builds(fake: Path) -> int:
    count = fake / "count"
    return len(count.read_text("utf-8").splitlines()) if count.exists() else 0


def _wait_for_builds(fake: Path, builds: int) -> None:
    deadline = time.monotonic() + SECONDS
    while _builds(fake) < builds:
        assert time.monotonic() < deadline, "the build never began"
        time.sleep(0.02)


def test_a_build_is_whole_and_is_not_repeated(fake: Path) -> None:
    golang.build([FAMILY])
    golang.build([FAMILY])
    folder = golang.folder(FAMILY)
    assert folder.name.startswith("sample-1.2.3-")
    assert {file.name: os.access(file, os.X_OK) for file in folder.iterdir()} == {
        "one": False,  # the fake makes no executables; Go does
        "two": False,
        "helper": True,
        "launcher": True,
    }
    assert json.loads((folder / "one").read_text("utf-8")) == {"name": "sample", "version": "1.2.3"}
    assert _builds(fake) == 1, "one command builds all programs of a module"
    assert [entry.name for entry in paths.toolchain().iterdir()] == [folder.name]


def test_the_folder_changes_with_each_input_and_with_nothing_else(fake: Path) -> None:
    before = golang.folder(FAMILY)
    assert golang.folder(FAMILY) == before
    (fake / "go" / "samples" / "notes.txt").write_text("not an input", "utf-8")
    assert golang.folder(FAMILY) == before
    seen = {before}
    for name in ("go.sum", "main.go"):
        (fake / "go" / "samples" / name).write_text("changed", "utf-8")
        seen.add(golang.folder(FAMILY))
    assert len(seen) == 3


def test_killed_midway_nothing_is_taken_for_whole_and_the_next_run_cleans_up(fake: Path) -> None:
    (fake / "hold").touch()
    code = (
        "from tests.unit.tools.toolchain import test_golang as t;"
        "from tools.toolchain import golang, programs;"
        f"from pathlib import Path; programs.GO_FOLDER = Path({str(fake / 'go')!r});"
        "golang.build([t.FAMILY])"
    )
    killed = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=paths.REPOSITORY,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    _wait_for_builds(fake, 1)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert not golang.folder(FAMILY).exists()
    left = [entry.name for entry in paths.toolchain().iterdir()]
    assert left == [f".building-samples.{killed.pid}"]

    (fake / "hold").unlink()
    golang.build([FAMILY])
    assert [entry.name for entry in paths.toolchain().iterdir()] == [golang.folder(FAMILY).name]


def test_two_runs_at_once_build_once_and_the_second_says_that_it_waits(
    fake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (fake / "hold").touch()
    runs = [threading.Thread(target=golang.build, args=([FAMILY],)) for _ in range(2)]
    runs[0].start()
    _wait_for_builds(fake, 1)
    runs[1].start()
    deadline = time.monotonic() + SECONDS
    said = ""
    while "another run is working on toolchain-samples; waiting for it" not in said:
        assert time.monotonic() < deadline
        time.sleep(0.02)
        said += capsys.readouterr().err
    (fake / "hold").unlink()
    for run in runs:
        run.join(SECONDS)
    assert _builds(fake) == 1
    assert golang.folder(FAMILY).is_dir()


def test_a_failed_build_shows_its_last_lines_and_where_the_log_is(fake: Path) -> None:
    (fake / "broken").touch()
    with pytest.raises(Refusal) as refused:
        golang.build([FAMILY])
    text = str(refused.value)
    assert text.startswith("Build sample 1.2.3 from Go modules failed (exit 1).")
    assert "main.go:7: undefined: nonsense" in text
    assert text.endswith(f"Full log: {paths.logs() / 'toolchain-samples.log'}")
    assert not golang.folder(FAMILY).exists()

    (fake / "broken").unlink()
    golang.build([FAMILY])
    assert golang.folder(FAMILY).is_dir()


def test_a_module_that_cannot_be_fetched_is_named_with_gos_reason(fake: Path) -> None:
    (fake / "offline").touch()
    with pytest.raises(
        Refusal, match=r"^Fetch schema\.json of sample 1\.2\.3 failed: dial tcp: refused\. Make"
    ):
        golang.build([FAMILY])
    assert not golang.folder(FAMILY).exists()


CONTAINERD = PROGRAMS["containerd"]


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fake apt-get that notes what it was asked and whether services were held back at that moment."""
    programs = tmp_path / "bin"
    programs.mkdir()
    policy = tmp_path / "policy-rc.d"
    for name, body in {
        "apt-get": f'cd {tmp_path}; echo "apt-get $@" >> calls; [ ! -x {policy} ] || echo held >> calls',
        "systemctl": f'echo "systemctl $@" >> {tmp_path}/calls',
        "dpkg-query": f"cat {tmp_path}/dpkg",
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{body}\n", "utf-8")
        (programs / name).chmod(0o755)
    (tmp_path / "dpkg").write_text("not-installed", "utf-8")
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("TPUSERVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(debian, "POLICY", policy)
    return tmp_path


def test_an_installation_starts_no_service_and_leaves_none_enabled(apt: Path) -> None:
    assert isinstance(CONTAINERD, Packaged)
    debian.install([CONTAINERD])
    assert (apt / "calls").read_text("utf-8").splitlines() == [
        "apt-get update",
        "held",
        "apt-get install --no-install-recommends containerd --yes -o DPkg::Lock::Timeout=300",
        "held",
        "systemctl --quiet disable containerd.service",
    ]
    assert not debian.POLICY.exists()


def test_a_service_that_was_there_before_is_left_to_its_owner(apt: Path) -> None:
    assert isinstance(CONTAINERD, Packaged)
    (apt / "dpkg").write_text("installed", "utf-8")
    debian.install([CONTAINERD])
    assert "systemctl" not in (apt / "calls").read_text("utf-8")


def test_the_machines_own_policy_is_kept_and_one_that_a_killed_run_left_is_removed(apt: Path) -> None:
    assert isinstance(CONTAINERD, Packaged)
    debian.POLICY.write_text("#!/bin/sh\nexit 101 # the machine's own\n", "utf-8")
    debian.install([CONTAINERD])
    assert "machine's own" in debian.POLICY.read_text("utf-8")

    debian.POLICY.unlink()
    with debian._no_service_starts():
        left = debian.POLICY.read_text("utf-8")
    debian.POLICY.write_text(left, "utf-8")
    debian.install([CONTAINERD])
    assert not debian.POLICY.exists()


def test_when_it_has_to_end_it_lets_apt_finish_and_takes_the_policy_away(apt: Path) -> None:
    held = f"[ ! -x {debian.POLICY} ] || echo held >> calls"
    slow = f"#!/bin/sh\ncd {apt}\necho began >> calls\nwhile [ ! -e $1 ]; do sleep 0.02; done\n{held}\n"
    (apt / "bin" / "apt-get").write_text(slow, "utf-8")
    code = (
        "import os; from pathlib import Path;"
        "from tools.support import subprocesses; from tools.toolchain import debian;"
        f"debian.POLICY = Path({str(debian.POLICY)!r}); os.geteuid = lambda: 0; subprocesses.end_in_order();"
        "debian.install([debian.Packaged(name='x', package='x', oldest=())])"
    )
    (apt / "update").touch()
    with ordinary():
        installer = subprocess.Popen(
            [sys.executable, "-c", code], cwd=paths.REPOSITORY, stderr=subprocess.DEVNULL
        )
    calls = apt / "calls"
    deadline = time.monotonic() + SECONDS
    # The first apt-get refreshes the lists, which may be broken off.
    while not (calls.exists() and calls.read_text("utf-8").count("began") == 2):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    installer.terminate()
    time.sleep(0.2)  # an apt-get that is broken off ends meanwhile
    (apt / "install").touch()
    assert installer.wait(SECONDS) == 128 + signal.SIGTERM
    assert calls.read_text("utf-8").split() == ["began", "held", "began", "held"]
    assert not debian.POLICY.exists()
