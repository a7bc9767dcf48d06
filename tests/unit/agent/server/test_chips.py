"""The check of the chips, on a folder with device files that are ordinary files."""

import errno
import logging
import os
import resource
from pathlib import Path
from typing import Any

import pytest

from agent.server import chips
from agent.server.chips import ChipsUnusable, check

LAYOUTS = (
    ("vfio groups", ("vfio/0", "vfio/1", "vfio/2", "vfio/3", "vfio/vfio")),
    ("vfio devices", tuple(f"vfio/devices/vfio{number}" for number in range(4))),
    ("older driver", ("accel0", "accel1", "accel2", "accel3", "accel")),
)


@pytest.fixture(autouse=True)
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the process lock all memory, as on a TPU node."""
    limit(monkeypatch, resource.RLIM_INFINITY)


def limit(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Sets the limit of locked memory, in bytes."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (size, size))


def devices(folder: Path, *names: str) -> Path:
    """Returns `folder` with device files of these names."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def failing(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Lets every opening of a file fail with this error."""

    def fail(*_: Any) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "open", fail)


@pytest.mark.parametrize("names", [row[1] for row in LAYOUTS], ids=[row[0] for row in LAYOUTS])
def test_chips_that_can_be_opened(tmp_path: Path, names: tuple[str, ...]) -> None:
    assert check(4, devices(tmp_path, *names)) == f"user {os.getuid()} has 4 of 4 chips"


def test_each_chip_is_opened_for_reading_and_writing_and_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: dict[int, tuple[str, int]] = {}
    closed: list[int] = []

    def record(device: Path, flags: int) -> int:
        opened[len(opened)] = (device.name, flags & os.O_ACCMODE)
        return len(opened) - 1

    folder = devices(tmp_path, "vfio/0", "vfio/1")
    monkeypatch.setattr(os, "open", record)
    monkeypatch.setattr(os, "close", closed.append)
    check(2, folder)
    assert list(opened.values()) == [("0", os.O_RDWR), ("1", os.O_RDWR)]
    assert closed == list(opened)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM])
def test_a_user_who_may_not_open_a_chip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    folder = devices(tmp_path, "vfio/0")
    failing(monkeypatch, code)
    with pytest.raises(ChipsUnusable) as raised:
        check(1, folder)
    assert str(raised.value) == (
        f"{tmp_path}/vfio/0: Permission denied for user {os.getuid()}: the node lets another user open its "
        "chips."
    )


def test_too_few_chips(tmp_path: Path) -> None:
    with pytest.raises(ChipsUnusable) as raised:
        check(4, devices(tmp_path, "vfio/0", "vfio/1", "vfio/vfio"))
    assert str(raised.value) == (
        f"the container has 2 of the 4 TPU chips that the pod requests ({tmp_path}/vfio/0, "
        f"{tmp_path}/vfio/1): the node's device plugin or its topology is wrong."
    )


def test_what_this_check_cannot_judge_is_left_to_libtpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check(4, tmp_path) == (
        f"{tmp_path} has no device file of a chip that is known here: libtpu decides"
    )
    folder = devices(tmp_path, "vfio/0")
    failing(monkeypatch, errno.EBUSY)
    limit(monkeypatch, 65536)
    assert check(1, folder) == (
        f"user {os.getuid()} has 1 of 1 chips, but {tmp_path}/vfio/0: {os.strerror(errno.EBUSY)}; only "
        "65536 bytes of memory may be locked (RLIMIT_MEMLOCK)"
    )


def test_only_the_first_process_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(chips, "DEVICES", devices(tmp_path, "vfio/0"))
    monkeypatch.setenv(chips.CHIPS_VARIABLE, "1")
    chips.register()
    # As the engine's process, which inherits the environment and holds the chips.
    chips.register()
    assert caplog.messages == [f"user {os.getuid()} has 1 of 1 chips"]
