"""Calls to the local API server that come to nothing are one sentence each."""

from collections.abc import Callable

import httpx
import pytest

from local.cluster import lifecycle
from local.cluster.api import Api, Failed

AGAIN = "see `python -m local.cluster logs kube-apiserver`, then run the same command again."
OBJECT = {"kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "kube-system"}}
PATH = "/api/v1/namespaces/kube-system/configmaps/settings"
CALLS: dict[str, Callable[[Api], object]] = {
    "GET /livez": lambda api: api.get("/livez"),
    f"PATCH {PATH}": lambda api: api.apply(OBJECT),
    "PATCH /api/v1/nodes/tpu-node/status": lambda api: api.patch_capacity("google.com/tpu", 4),
    "DELETE /api/v1/namespaces/default/pods/one": lambda api: api.delete_pod("default", "one", 1),
}


def api(answer: Callable[[httpx.Request], httpx.Response]) -> Api:
    """The client over a server that answers like this."""
    made = Api.__new__(Api)
    made._client = httpx.Client(base_url="https://api", transport=httpx.MockTransport(answer))
    return made


def refused(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("[Errno 111] Connection refused")


def failing(request: httpx.Request) -> httpx.Response:
    return httpx.Response(500, json={"kind": "Status", "message": "etcdserver:\n leader changed"})


@pytest.mark.parametrize(
    ("answer", "verb", "reason"),
    [
        (refused, "did not answer", "([Errno 111] Connection refused): "),
        (failing, "rejects", "(500): etcdserver: leader changed; "),
        (lambda request: httpx.Response(503), "rejects", "(503): no reason given; "),
    ],
)
@pytest.mark.parametrize("asked", CALLS)
def test_a_call_that_fails_is_a_sentence(
    answer: Callable[[httpx.Request], httpx.Response], verb: str, reason: str, asked: str
) -> None:
    with pytest.raises(Failed) as failed:
        CALLS[asked](api(answer))
    assert str(failed.value) == f"The local API server {verb} {asked} {reason}{AGAIN}"


def test_what_is_not_there_is_none_and_needs_no_end() -> None:
    nothing = api(lambda request: httpx.Response(404))
    assert nothing.get("/api/v1/nodes/x") is None
    nothing.delete_pod("default", "one", 1)
    with pytest.raises(Failed, match=r"rejects PATCH .*configmaps/settings \(404\)"):
        nothing.apply(OBJECT)


def test_a_node_that_cannot_be_asked_for_offers_nothing() -> None:
    assert lifecycle.tpu_chips(api(refused)) == 0
