"""`python -m load_test`: stacks that have no cluster are refused before anything is started."""

import pytest

from load_test.__main__ import main

REFUSED = [
    (
        "dev",
        "STACK=dev is of kind tpu-vm, and `make load-test` starts a Job in a cluster: choose a stack on GKE "
        "or the local one, or see docs/operations-tpu-vm.md, Load test.",
    ),
    (
        "foundation",
        "STACK=foundation is of kind foundation, and `make load-test` starts a Job in a cluster: choose a "
        "stack on GKE or the local one, or see docs/operations-tpu-vm.md, Load test.",
    ),
]


@pytest.mark.parametrize(("stack", "sentence"), REFUSED)
def test_a_stack_without_a_cluster_is_refused(
    stack: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--stack", stack]) == 2
    assert capsys.readouterr().err.strip() == sentence
