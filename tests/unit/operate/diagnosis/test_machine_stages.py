"""Diagnosis of a stack of TPU VMs: one row a fault, and its sentence."""

from typing import Any

import pytest

from operate.diagnosis import of_machines
from operate.diagnosis.machine_stages import Machine, MachineEvidence

QUOTA = "QUOTA_EXCEEDED: Quota 'PREEMPTIBLE_TPU_LITE_PODSLICE_V6E' exceeded.  Limit: 0.0 in region us-east5."
STOCKOUT = (
    "ZONE_RESOURCE_POOL_EXHAUSTED: The zone 'projects/p/zones/us-east5-b' does not have enough resources "
    "available to fulfill the request."
)


def report(**stages: Any) -> dict[str, Any]:
    """Returns a report of a boot; a stage that failed decides about its state."""
    failed = [f"failed in {name}: {each['reason']}" for name, each in stages.items() if "reason" in each]
    serving = stages.get("acceptance", {}).get("state") == "done"
    state = failed[0] if failed else "serving" if serving else "booting"
    return {"release": "ab12cd34", "state": state, "stages": stages}


DONE = {"state": "done", "seconds": 1.0}
SERVES = report(disk=DONE, server=DONE, acceptance=DONE)


def machine(report: dict[str, Any] | None = SERVES, **changes: Any) -> Machine:
    """Returns a machine that runs."""
    known = {"name": "dev-0", "zone": "us-east5-b", "state": "RUNNING", "health": "HEALTHY"}
    return Machine(**{**known, "report": report, **changes})


def failed(stage: str, reason: str) -> Machine:
    """Returns a machine whose boot failed in a stage."""
    stages = {"disk": DONE, stage: {"state": "failed", "reason": reason}}
    return machine(report(**stages), health="UNHEALTHY")


FAULTS: list[tuple[str, MachineEvidence, tuple[str, ...]]] = [
    ("healthy", MachineEvidence("dev", 1, [machine()]), ("The machine of dev serves; nothing is wrong.",)),
    (
        "healthy pair",
        MachineEvidence("dev", 2, [machine(), machine(name="dev-1")]),
        ("All 2 machines of dev serve; nothing is wrong.",),
    ),
    (
        "quota",
        MachineEvidence("dev", 1, [], [QUOTA]),
        ("0 of 1 machines of dev serve: 1 machines are missing", "TPU quota is used up", "step 1"),
    ),
    (
        "no capacity",
        MachineEvidence("dev", 1, [], [STOCKOUT]),
        ("Google has no capacity in the zone", "`pulumi up -s dev`"),
    ),
    (
        "no capacity at a repair",
        MachineEvidence("dev", 1, [machine(None, state="", action="RECREATING", errors=[STOCKOUT])]),
        ("machine dev-0 is not created, because Google has no capacity",),
    ),
    (
        "created now",
        MachineEvidence("dev", 1, [machine(None, state="STAGING", action="CREATING")]),
        ("machine dev-0 is STAGING, and its group is CREATING", "`make why STACK=dev`"),
    ),
    (
        "preempted, and nothing recreates it",
        MachineEvidence("dev", 1, [machine(None, state="PREEMPTED")]),
        ("machine dev-0 is PREEMPTED", "`pulumi destroy -s dev`"),
    ),
    (
        "no report",
        MachineEvidence("dev", 1, [machine(None)]),
        ("has no report of its boot", "COMPONENT=boot"),
    ),
    (
        "key missing",
        MachineEvidence("dev", 1, [failed("secrets", "projects/p/secrets/k/versions/latest does not exist")]),
        ("stage secrets of machine dev-0 failed: projects/p/secrets/k", "`make key STACK=dev`"),
    ),
    (
        "weights missing",
        MachineEvidence("dev", 1, [failed("weights", "gs://b/weights/1 holds no weights: copy them first.")]),
        ("holds no weights", "google-startup-scripts"),
    ),
    (
        "image missing",
        MachineEvidence("dev", 1, [failed("image", "The image x@sha256:0 could not be pulled: not found")]),
        ("could not be pulled",),
    ),
    (
        "server ended",
        MachineEvidence("dev", 1, [failed("server", "The server ended 3 times before it was accepted: x")]),
        ("The server ended 3 times", "`make logs STACK=dev`"),
    ),
    (
        "acceptance failed",
        MachineEvidence("dev", 1, [failed("acceptance", "Release ab is rejected by chat: HTTP 500.")]),
        ("Release ab is rejected by chat", "`make rollback STACK=dev`"),
    ),
    (
        "boot goes on",
        MachineEvidence("dev", 1, [machine(report(disk=DONE, weights={"state": "running"}))]),
        ("stage weights of machine dev-0 is running", "follow it with `make logs STACK=dev`"),
    ),
    (
        "health",
        MachineEvidence("dev", 1, [machine(health="TIMEOUT")]),
        ("has booted, and its health check says TIMEOUT",),
    ),
    (
        "cold cache",
        MachineEvidence(
            "dev",
            1,
            [
                machine(
                    report(
                        cache={**DONE, "note": "not restored (HTTP 403): this boot compiles"}, acceptance=DONE
                    )
                )
            ],
        ),
        ("compiled everything", "HTTP 403"),
    ),
    (
        "no metrics",
        MachineEvidence(
            "dev",
            1,
            [
                machine(
                    report(acceptance=DONE, metrics={"note": "no metrics go to Cloud Monitoring: denied."})
                )
            ],
        ),
        (
            "serve: the collector of machine dev-0 reports: no metrics go to Cloud Monitoring: denied: ",
            "read `make logs STACK=dev COMPONENT=collector`",
        ),
    ),
    (
        "metrics",
        MachineEvidence(
            "dev", 1, [machine(report(acceptance=DONE, metrics={"note": "metrics go to Cloud Monitoring"}))]
        ),
        ("The machine of dev serves; nothing is wrong.",),
    ),
    (
        "one of two",
        MachineEvidence("dev", 2, [machine(), failed("disk", "The data disk holds something else")]),
        ("1 of 2 machines of dev serve", "holds something else"),
    ),
]


@pytest.mark.parametrize(("evidence", "parts"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_a_fault_has_one_sentence_with_its_cause_and_the_next_command(
    evidence: MachineEvidence, parts: tuple[str, ...]
) -> None:
    _, sentence = of_machines(evidence, {})
    assert "\n" not in sentence and sentence.endswith(".")
    for part in parts:
        assert part in sentence, sentence


def test_every_stage_of_a_boot_is_reported_in_order() -> None:
    findings, _ = of_machines(MachineEvidence("dev", 1, [machine()]), {})
    assert [finding.stage for finding in findings] == ["group", "machine", "boot", "boot", "boot"]
    assert {finding.level for finding in findings} == {"fine"}
