"""Control groups of version 2 in a container, whose topmost group has processes in it."""

import errno
import os
from pathlib import Path

import pytest

from local.cluster import cleanup, constants
from tools.support.errors import Refusal


@pytest.fixture
def cgroups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fake hierarchy with processes at its top, of which 99 ends; it delegates when they are gone."""
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory hugetlb pids\n")
    (tmp_path / "cgroup.subtree_control").write_text("")
    (tmp_path / "cgroup.procs").write_text("1\n70\n99\n")
    real = Path.write_text

    def write(self: Path, text: str, *rest: object) -> int:
        top = tmp_path / "cgroup.procs"
        left = top.read_text().split()
        if self.name == "cgroup.subtree_control" and left:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        if self.name == "cgroup.procs" and self != top:
            real(top, "\n".join(pid for pid in left if pid != text))
            if text == "99":
                raise OSError(errno.ESRCH, os.strerror(errno.ESRCH))
            text = f"{self.read_text() if self.exists() else ''}{text}\n"
        return real(self, text)

    monkeypatch.setattr(cleanup, "CGROUPS", tmp_path)
    monkeypatch.setattr(Path, "write_text", write)
    return tmp_path


def test_a_containers_processes_move_out_of_the_way(cgroups: Path) -> None:
    cleanup.ensure_cgroups()
    assert (cgroups / "init" / "cgroup.procs").read_text().split() == ["1", "70"]
    assert (cgroups / "cgroup.subtree_control").read_text() == "+cpu +cpuset +memory +pids +io"
    assert [*(cgroups / constants.CGROUP).iterdir()] == []
    cleanup.ensure_cgroups()


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EBUSY])
def test_a_hierarchy_that_cannot_be_changed_is_a_sentence(
    cgroups: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(self: Path, *_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(Refusal) as refused:
        cleanup.ensure_cgroups()
    assert str(refused.value) == (
        f"The local cluster needs its own control groups below {cgroups}, which cannot be created "
        f"({os.strerror(number)}): run the container that you are in privileged and with its own "
        "control group namespace (docker run --privileged --cgroupns=private)."
    )
