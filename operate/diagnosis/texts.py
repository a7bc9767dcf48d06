"""Meanings of text in messages, last words and logs: which cause it names, and what to do about it."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from operate.diagnosis.evidence import Evidence
from serving.deploy import container_layout


@dataclass(frozen=True)
class Meaning:
    """Cause that a text names, and the next command."""

    cause: str
    advice: str


def _dns(evidence: Evidence) -> str:
    if evidence.local:
        return "run `make up`, which repairs the cluster's name server"
    return (
        f"run `{evidence.kubectl} get networkpolicy -o yaml`, whose egress must allow port 53, and "
        f"`{evidence.kubectl} get pods -n kube-system -l k8s-app=kube-dns`, which must run"
    )


def _network(evidence: Evidence) -> str:
    return (
        f"run `{evidence.kubectl} get networkpolicy -o yaml`, and `pulumi up -s {evidence.stack}`, which "
        "writes the rules again"
    )


ROWS: tuple[tuple[re.Pattern[str], str, Callable[[Evidence], str]], ...] = (
    (
        # glibc, requests and urllib3, curl, and Go's resolver.
        re.compile(
            r"Temporary failure in name resolution|Name or service not known|NameResolutionError"
            r"|Could not resolve host|no such host|server misbehaving|lookup \S+( on \S+)?: .*i/o timeout"
        ),
        "a host name cannot be resolved (DNS)",
        _dns,
    ),
    (
        # XLA's status code for an allocation on a chip that fails.
        re.compile(r"RESOURCE_EXHAUSTED|[Rr]an out of memory in memory space hbm"),
        "the chips' memory (HBM) is full",
        lambda evidence: (
            f"run `make explain STACK={evidence.stack}`, which says what fits, and lower the engine"
        ),
    ),
    (
        re.compile(r"/dev/vfio\S*.*Permission denied|Permission denied.*/dev/vfio"),
        "the server's user may not open the chips (/dev/vfio)",
        lambda evidence: (
            f"set target.run_as to root in Pulumi.{evidence.stack}.yaml, and run "
            f"`pulumi up -s {evidence.stack}`"
        ),
    ),
    (
        # agent/server/chips.py
        re.compile(r"the container has \d+ of the \d+ TPU chips"),
        "the server has fewer chips than it requests",
        lambda evidence: (
            f"run `{evidence.kubectl} describe nodes`: compare google.com/tpu and the label "
            "cloud.google.com/gke-tpu-topology, and delete the node"
        ),
    ),
    (
        re.compile(r"No space left on device|Errno 28|Disk quota exceeded"),
        "a disk is full",
        lambda evidence: f"run `{evidence.kubectl} describe nodes`, and free its disk or enlarge it",
    ),
    (
        # vLLM 0.32: transformers_utils/config.py, model_loader/default_loader.py. huggingface_hub takes a
        # folder that does not exist for the name of a repository.
        re.compile(
            r"Invalid repository ID or local directory specified|Cannot find any model weights with"
            rf"|Repo id must be in the form .*'{container_layout.MODELS}/"
        ),
        "the weights are missing in the models' volume",
        lambda evidence: (
            "run `make up`, which makes the model again"
            if evidence.local
            else f"run `{evidence.kubectl} get jobs`, and `pulumi up -s {evidence.stack}`, which copies them"
        ),
    ),
    (
        # requests and urllib3, Python's sockets, and Go.
        re.compile(
            r"ConnectTimeout|ReadTimeout|Max retries exceeded|[Cc]onnection refused|Connection reset"
            r"|Network is unreachable|No route to host|i/o timeout|[Tt]imed out|did not answer|took more than"
        ),
        "a connection is not answered (a NetworkPolicy, or the other side is down)",
        _network,
    ),
)


def meaning(text: str, evidence: Evidence) -> Meaning | None:
    """Returns the cause that a text names; None when no row knows it. More exact rows come first."""
    for pattern, cause, advice in ROWS:
        if pattern.search(text):
            return Meaning(cause, advice(evidence))
    return None
