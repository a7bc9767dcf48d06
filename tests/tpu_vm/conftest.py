"""Machines that boot as a TPU VM does. They need root, loop devices and the server's environment."""

import itertools
from collections.abc import Iterator
from typing import Protocol

import pytest

from local import image
from tests.tpu_vm.lab import Lab
from tests.tpu_vm.tree import ensure_tree


class MakeLab(Protocol):
    """Factory of labs that the end of the test takes down."""

    def __call__(self, *, disk_bytes: int = 6 * 2**30, real: bool = False) -> Lab: ...


@pytest.fixture(scope="module")
def make_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeLab]:
    """Yields a factory of labs, which are all gone at the module's end."""
    tree, environment = ensure_tree(), image.ensure_environment()
    labs: list[Lab] = []
    number = itertools.count()

    def make(*, disk_bytes: int = 6 * 2**30, real: bool = False) -> Lab:
        folder = tmp_path_factory.mktemp(f"lab{next(number)}")
        labs.append(Lab(folder, tree, environment, disk_bytes=disk_bytes, real=real))
        return labs[-1]

    yield make
    for lab in labs:
        lab.close()
