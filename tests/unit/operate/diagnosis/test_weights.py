"""The cluster itself and the Job of the weights: one row a fault, and its sentence."""

from dataclasses import replace

import pytest

from operate.diagnosis.evidence import Evidence
from tests.unit.operate.diagnosis.recorded import (
    HEALTHY,
    concludes,
    job,
    job_failed,
    job_pod,
    waiting,
)

FAULTS: list[tuple[str, Evidence, tuple[str, ...]]] = [
    (
        "DNS: the name server",
        replace(
            HEALTHY,
            dns_pods=[
                {
                    "metadata": {"name": "kube-dns-1"},
                    "status": {"conditions": [{"type": "Ready", "status": "False"}]},
                }
            ],
        ),
        ("name server (DNS)", "-n kube-system -l k8s-app=kube-dns"),
    ),
    (
        "DNS: of the weights Job",
        job_failed(
            "Job has reached the specified backoff limit",
            "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='huggingface.co', "
            "port=443): Max retries "
            "exceeded (Caused by NameResolutionError: Failed to resolve 'huggingface.co' "
            "([Errno -3] Temporary "
            "failure in name resolution))",
        ),
        ("a host name cannot be resolved (DNS)", "egress must allow port 53"),
    ),
    (
        "weights Job failed",
        job_failed(
            "Job has reached the specified backoff limit",
            "Hugging Face does not give google/gemma-4-26B-A4B-it (HTTP 403): accept its "
            "license, or use a token "
            "that may read it.",
        ),
        (
            "the weights Job weights-1f2e3d4c failed (Job has reached the specified backoff "
            "limit; its log ends with:",
            "accept its license",
            "`pulumi up -s staging`, which replaces it",
        ),
    ),
    (
        "weights Job took too long",
        job_failed("Job was active longer than specified deadline", "12 of 40 files are copied"),
        ("Job was active longer than specified deadline",),
    ),
    (
        "weights Job without an image",
        replace(
            HEALTHY,
            jobs=[job()],
            job_pods=[job_pod(waiting("stage", "ImagePullBackOff", 'Back-off pulling image "x": not found'))],
            pods=[],
            deployment=None,
            pages={},
        ),
        ("the image of pod weights-1f2e3d4c-9pqrs is missing",),
    ),
    (
        "local cluster stopped",
        replace(HEALTHY, local=True, stopped=["kubelet", "DNS"]),
        ("the local cluster lacks kubelet, DNS", "`make up`, which starts"),
    ),
]


@pytest.mark.parametrize(("evidence", "parts"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_a_fault_has_one_sentence_with_its_cause_and_the_next_command(
    evidence: Evidence, parts: tuple[str, ...]
) -> None:
    concludes(evidence, parts)
