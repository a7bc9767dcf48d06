"""Ephemeral storage: a container's log and the volumes for which it accounts."""

import pytest

from serving.deploy.ephemeral_storage import LOG_MIB, ephemeral_storage


@pytest.mark.parametrize(
    ("volumes", "more"), [((), 0), (("16Mi",), 16), (("1Gi",), 1024), (("50Gi", "1Gi", "16Mi"), 52_240)]
)
def test_a_container_has_its_log_and_its_volumes(volumes: tuple[str, ...], more: int) -> None:
    assert ephemeral_storage(*volumes) == {"ephemeral-storage": f"{LOG_MIB + more}Mi"}
