"""Host memory and disk against the weights."""

import dataclasses

import pytest

from serving.compilation.candidate import Candidate
from serving.hardware import host_resources
from serving.memory import problems
from serving.messages.units import GIB
from serving.models.catalog import MODELS, model
from tests.unit.serving.strategies import GEMMA, STAND_IN, V6E_4, engine


def test_needs_of_the_26b() -> None:
    found = host_resources.needs(GEMMA.weight_bytes)
    assert found.server_bytes / GIB == pytest.approx(160.1, abs=0.1)
    assert found.file_cache_bytes / GIB == pytest.approx(52.9, abs=0.1)
    assert found.disk_bytes / 1e9 == pytest.approx(71.6, abs=0.1)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_loads_on_the_host_of_a_v6e_4(name: str) -> None:
    assert problems.host_problem(Candidate(V6E_4, model(name), engine())) is None


def test_a_small_host_is_named_and_an_unknown_one_is_not_judged() -> None:
    small = dataclasses.replace(V6E_4, host_memory_bytes=170 * 10**9)
    assert str(problems.host_problem(Candidate(small, GEMMA, engine()))) == (
        "gemma-4-26b-a4b-it is served on v6e-4: loading its 51.6 GB of weights takes 160 GiB of host memory, "
        "and the machine has 158; write `tpuserve:accelerator: v6e-4` and write "
        "`tensor_parallel_size: 4` under tpuserve:engine."
    )
    enough = dataclasses.replace(V6E_4, host_memory_bytes=172 * 10**9)
    assert problems.host_problem(Candidate(enough, GEMMA, engine())) is None
    assert problems.host_problem(Candidate(STAND_IN, GEMMA, engine())) is None
