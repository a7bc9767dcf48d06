"""Start of a pod's containers: one row a fault, and its sentence."""

from dataclasses import replace

import pytest

from operate.diagnosis.evidence import Evidence
from tests.unit.operate.diagnosis.recorded import (
    EVICTED,
    HEALTHY,
    NO_CHIPS,
    SECRETS_STORE,
    UNINITIALIZED,
    booting,
    concludes,
    creating,
    ended,
    event,
    pod,
    policy,
    running,
    waiting,
    with_pod,
)

FAULTS: list[tuple[str, Evidence, tuple[str, ...]]] = [
    (
        "image missing in the registry",
        with_pod(
            waiting(
                "vllm",
                "ImagePullBackOff",
                'Back-off pulling image "registry/vllm-tpu@sha256:0b": ErrImagePull: rpc error: '
                "code = NotFound "
                'desc = failed to pull and unpack image "registry/vllm-tpu@sha256:0b": not found',
            ),
            init=waiting("restore-cache", "PodInitializing"),
        ),
        ("the image of pod", "is missing", "set tpuserve:image in Pulumi.staging.yaml"),
    ),
    (
        "image not on the local node",
        replace(
            with_pod(
                waiting(
                    "restore-cache",
                    "ErrImageNeverPull",
                    'Container image "tpuserve.local/vllm:1" is not present with pull policy of Never',
                )
            ),
            local=True,
            stack="local",
        ),
        ("is missing", "run `make up`, which puts the image on the node again"),
    ),
    (
        "image may not be pulled",
        with_pod(
            waiting(
                "vllm",
                "ErrImagePull",
                'failed to pull and unpack image "registry/vllm-tpu@sha256:0b": failed to '
                "authorize: failed to "
                "fetch oauth token: unexpected status from GET request: 403 Forbidden",
            )
        ),
        ("is missing", "grant the nodes' account the right to pull"),
    ),
    (
        "key missing: Secret Manager has no version",
        with_pod(*creating(), init=UNINITIALIZED, events=(event("FailedMount", SECRETS_STORE),)),
        (
            "waits for the secret of its volume api-key",
            "not found or has no versions",
            "`make key STACK=staging`",
        ),
    ),
    (
        "key missing: a Kubernetes Secret",
        with_pod(
            *creating(),
            init=UNINITIALIZED,
            events=(
                event(
                    "FailedMount",
                    'MountVolume.SetUp failed for volume "api-key" : secret "api-key" not found',
                ),
            ),
        ),
        (
            "waits for the secret of its volume api-key",
            'secret "api-key" not found',
            "`make key STACK=staging`",
        ),
    ),
    (
        "weights missing on the local node",
        replace(
            with_pod(
                *creating(),
                init=UNINITIALIZED,
                events=(
                    event(
                        "FailedMount",
                        'MountVolume.SetUp failed for volume "tpuserve-models" : hostPath type check failed: '
                        "/root/.cache/tpuserve/local/node/models is not a directory",
                    ),
                ),
            ),
            local=True,
        ),
        ("waits for its weights", "is not a directory", "`make up`, which makes the model again"),
    ),
    (
        "weights missing in the volume",
        with_pod(
            ended(
                "vllm",
                1,
                "Error",
                "ValueError: Invalid repository ID or local directory specified: "
                "'/models/gemma-4-26b-a4b-it'.",
            ),
            running("sidecar", ready=False),
        ),
        ("the weights are missing", "`pulumi up -s staging`, which copies them"),
    ),
    (
        "weights missing, as huggingface_hub says it",
        with_pod(
            ended(
                "vllm",
                1,
                "Error",
                "huggingface_hub.errors.HFValidationError: Repo id must be in the form 'repo_name' or "
                "'namespace/repo_name': '/models/gemma-4-26b-a4b-it'. Use `repo_type` argument if needed.",
            ),
            running("sidecar", ready=False),
        ),
        ("the weights are missing", "`pulumi up -s staging`, which copies them"),
    ),
    (
        "weights' bucket may not be read",
        with_pod(
            *creating(),
            init=UNINITIALIZED,
            events=(
                event(
                    "FailedMount",
                    'MountVolume.SetUp failed for volume "models" : rpc error: code = '
                    "PermissionDenied desc = "
                    'failed to get GCS bucket "my-project-tpuserve": googleapi: Error 403: '
                    "Caller does not have "
                    "storage.objects.list access",
                ),
            ),
        ),
        ("waits for its weights", "Error 403", "see that the account may read the bucket"),
    ),
    (
        "cache disk full: the kubelet evicted the pod",
        replace(HEALTHY, pods=[EVICTED, pod(node=None, unscheduled=NO_CHIPS)], pages={}),
        ("the chips of all 1 TPU nodes are in use",),
    ),
    (
        "cache disk full: the next pod boots",
        replace(booting(), pods=[EVICTED, *booting().pods]),
        ("its compile cache is full", 'exceeds the limit "50Gi"', "`make explain STACK=staging`"),
    ),
    (
        "more on the node's disk than the pod's limit",
        replace(
            HEALTHY,
            pods=[
                {
                    **EVICTED,
                    "status": {
                        "phase": "Failed",
                        "reason": "Evicted",
                        "message": 'Container vllm exceeded its local ephemeral storage limit "52340Mi". ',
                    },
                }
            ],
            pages={},
        ),
        ("wrote more to its node's disk than its limit", 'limit "52340Mi"', "LOG_MIB"),
    ),
    (
        "node's disk full",
        replace(
            HEALTHY,
            pods=[
                {
                    **EVICTED,
                    "status": {
                        "phase": "Failed",
                        "reason": "Evicted",
                        "message": "The node was low on resource: ephemeral-storage. Threshold "
                        "quantity: 10Gi, "
                        "available: 1Gi. ",
                    },
                }
            ],
            pages={},
        ),
        ("the disk of its node is full",),
    ),
    (
        "out of memory",
        with_pod(ended("vllm", 137, "OOMKilled"), running("sidecar", ready=False)),
        (
            "used more memory than its limit of 48Gi (OOMKilled, restarted 3 times)",
            "`make logs STACK=staging`",
        ),
    ),
    (
        "out of memory in the init container",
        with_pod(*creating(), init=ended("restore-cache", 137, "OOMKilled")),
        ("container restore-cache", "limit of 2Gi"),
    ),
    (
        "HBM full",
        with_pod(
            ended(
                "vllm",
                1,
                "Error",
                "jax.errors.JaxRuntimeError: RESOURCE_EXHAUSTED: XLA:TPU compile permanent error.",
            ),
            running("sidecar", ready=False),
        ),
        ("memory (HBM) is full", "`make explain STACK=staging`"),
    ),
    (
        "chips may not be opened",
        with_pod(
            ended("vllm", 1, "Error", "Couldn't open /dev/vfio/0: Permission denied"),
            running("sidecar", ready=False),
        ),
        ("may not open the chips", "set target.run_as to root in Pulumi.staging.yaml, and run `pulumi up -s"),
    ),
    (
        "chips may not be opened, in the agent's sentence",
        with_pod(
            ended(
                "vllm",
                1,
                "Error",
                "agent.server.chips.ChipsUnusable: /dev/vfio/0: Permission denied for user 10001: the node "
                "lets another user open its chips.",
            ),
            running("sidecar", ready=False),
        ),
        ("may not open the chips", "set target.run_as to root in Pulumi.staging.yaml, and run `pulumi up -s"),
    ),
    (
        "too few chips",
        with_pod(
            ended(
                "vllm",
                1,
                "Error",
                "agent.server.chips.ChipsUnusable: the container has 3 of the 4 TPU chips that the pod "
                "requests (/dev/vfio/0, /dev/vfio/1, /dev/vfio/2): the node's device plugin or its topology "
                "is wrong.",
            ),
            running("sidecar", ready=False),
        ),
        ("has fewer chips than it requests", "describe nodes`"),
    ),
    (
        "server ends for another reason",
        with_pod(
            ended("vllm", 2, "Error", "vllm: error: unrecognized arguments: --nope"),
            running("sidecar", ready=False),
        ),
        ("ended with exit code 2, restarted 3 times (vllm: error: unrecognized arguments: --nope)",),
    ),
    (
        "startup probe",
        with_pod(
            ended("vllm", 137, "Error", "INFO compiling program 212 of 300", restarts=1),
            running("sidecar", ready=False),
            events=(
                event("Killing", "Container vllm failed startup probe, will be restarted"),
                event(
                    "Unhealthy",
                    'Startup probe failed: Get "http://10.4.0.7:8000/health": dial tcp '
                    "10.4.0.7:8000: connect: "
                    "connection refused",
                ),
            ),
        ),
        ("failed its startup probe", "connection refused", "the output cold_start has the budget"),
    ),
    (
        "startup probe behind a closed policy",
        replace(
            with_pod(
                ended("vllm", 137, "Error", restarts=1),
                running("sidecar", ready=False),
                events=(event("Killing", "Container vllm failed startup probe, will be restarted"),),
            ),
            policies=[policy(ingress=[])],
        ),
        ("NetworkPolicy vllm lets nobody call port 8000", "`pulumi up -s staging --refresh`"),
    ),
    (
        "DNS: of the image",
        with_pod(
            waiting(
                "vllm",
                "ErrImagePull",
                'failed to do request: Head "https://registry/v2/": dial tcp: lookup registry '
                "on 169.254.169.254:53: "
                "no such host",
            )
        ),
        ("cannot pull its image, because a host name cannot be resolved (DNS)",),
    ),
    (
        "boot goes on",
        booting("INFO loading weights\nINFO compiling program 212 of 300\n"),
        ("is booting", "compiling program 212 of 300", "follow it with `make logs STACK=staging`"),
    ),
]


@pytest.mark.parametrize(("evidence", "parts"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_a_fault_has_one_sentence_with_its_cause_and_the_next_command(
    evidence: Evidence, parts: tuple[str, ...]
) -> None:
    concludes(evidence, parts)
