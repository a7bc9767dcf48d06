"""Acceptance, rollout, network and traffic: one row a fault, and its sentence."""

from dataclasses import replace

import pytest

from operate.diagnosis.evidence import Evidence
from tests.unit.operate.diagnosis.recorded import (
    HEALTHY,
    REJECTION,
    accepting,
    concludes,
    deployment,
    ended,
    event,
    pod,
    policy,
    running,
    with_metrics,
    with_pod,
)

FAULTS: list[tuple[str, Evidence, tuple[str, ...]]] = [
    (
        "key missing: an optional Secret",
        accepting("waiting", "/run/tpuserve/api-key has no API key, so the server admits nobody; write one."),
        ("the API key is missing", "`make key STACK=staging`"),
    ),
    (
        "acceptance failed: the sidecar's last words",
        with_pod(running("vllm", ready=False), ended("sidecar", 1, "Error", REJECTION)),
        (
            f"was not accepted, so it gets no traffic: {REJECTION.rstrip('.')}",
            "`make rollback STACK=staging`",
        ),
    ),
    (
        "acceptance failed: the verdict",
        accepting("rejected", REJECTION),
        (f"was not accepted, so it gets no traffic: {REJECTION.rstrip('.')}", "COMPONENT=sidecar"),
    ),
    (
        "readiness probe",
        replace(
            HEALTHY,
            pods=[pod(running("vllm", ready=False), running("sidecar"))],
            events=[
                event(
                    "Unhealthy",
                    'Readiness probe failed: Get "http://10.4.0.7:8000/ready": context deadline exceeded '
                    "(Client.Timeout exceeded while awaiting headers)",
                )
            ],
        ),
        ("readiness probe fails (Readiness probe failed", "Client.Timeout", "`make logs STACK=staging`"),
    ),
    (
        "network policy: nobody may call",
        replace(HEALTHY, policies=[policy(ingress=[])]),
        ("clients cannot reach the server, because NetworkPolicy vllm lets nobody call port 8000",),
    ),
    (
        "network policy: the bucket",
        replace(
            with_metrics('tpuserve_compile_cache_restore{result="failed"} 1.0\n'),
            policies=[policy(egress=[])],
        ),
        ("the restore of the compile cache", "because NetworkPolicy vllm lets the server call nobody"),
    ),
    (
        "guard refusals of the key",
        with_metrics('tpuserve_guard_refusals_total{reason="api_key"} 3.0\n'),
        ("by reason: api_key 3", "give the clients the present key of staging"),
    ),
    ("metrics of something else", with_metrics("<html>\n"), ("nothing is wrong",)),
    (
        "guard refusals",
        with_metrics(
            "# TYPE tpuserve_guard_refusals_total counter\n"
            'tpuserve_guard_refusals_total{reason="api_key"} 3.0\n'
            'tpuserve_guard_refusals_total{reason="stopping"} 0.0\n'
            'tpuserve_guard_refusals_total{reason="request"} 120.0\n'
        ),
        ("the guard refused 123 requests, by reason: request 120, api_key 3", "what-clients-may-send"),
    ),
    (
        "rollout exceeded its deadline",
        replace(
            HEALTHY,
            deployment=deployment(
                {
                    "type": "Progressing",
                    "status": "False",
                    "reason": "ProgressDeadlineExceeded",
                    "message": 'ReplicaSet "vllm-7c9d8b6f5" has timed out progressing.',
                }
            ),
            pods=[pod(running("vllm", ready=False, started=False), running("sidecar", ready=False))],
            pages={},
        ),
        (
            "the rollout exceeded its deadline of 3215 s",
            "has timed out progressing",
            "`pulumi up -s staging`",
        ),
    ),
    ("acceptance goes on", accepting("running", "The acceptance has begun."), ("is being accepted",)),
    (
        "queue",
        with_metrics("vllm:num_requests_waiting 7.0\n"),
        ("7 requests wait in the queue",),
    ),
    ("KV cache full", with_metrics("vllm:kv_cache_usage_perc 0.99\n"), ("99% full",)),
    (
        "compiled in traffic",
        with_metrics("tpuserve_slow_compilations_total 2.0\n"),
        ("waited for 2 slow compilations after its warm-up",),
    ),
]


@pytest.mark.parametrize(("evidence", "parts"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_a_fault_has_one_sentence_with_its_cause_and_the_next_command(
    evidence: Evidence, parts: tuple[str, ...]
) -> None:
    concludes(evidence, parts)
