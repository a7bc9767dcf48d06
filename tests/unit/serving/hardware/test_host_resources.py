"""Host memory and disk against the weights."""

import dataclasses

import pytest

from serving.hardware import host_resources
from serving.memory import problems
from serving.messages.units import GIB
from serving.models.catalog import MODELS, model
from tests.unit.serving.strategies import GEMMA, STAND_IN, V6E_4


def test_needs_of_the_26b() -> None:
    found = host_resources.needs(GEMMA.weight_bytes)
    assert found.server_bytes / GIB == pytest.approx(160.1, abs=0.1)
    assert found.file_cache_bytes / GIB == pytest.approx(52.9, abs=0.1)
    assert found.disk_bytes / 1e9 == pytest.approx(71.6, abs=0.1)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_loads_on_the_host_of_a_v6e_4(name: str) -> None:
    assert problems.host_problem(V6E_4, model(name), file_cache=True) is None


def test_a_small_host_is_named_and_an_unknown_one_is_not_judged() -> None:
    small = dataclasses.replace(V6E_4, host_memory_bytes=176 * 10**9)
    assert problems.host_problem(small, GEMMA, file_cache=False) is None
    sentence = str(problems.host_problem(small, GEMMA, file_cache=True))
    assert "51.6 GB of weights takes 229 GB of host memory, and the machine has 176 GB; take a" in sentence
    assert sentence.endswith(", or read without a cache in memory.")
    assert problems.host_problem(STAND_IN, GEMMA, file_cache=True) is None
