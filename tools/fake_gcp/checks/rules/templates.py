"""Rules for instance templates and disks: v6e machines, provisioning models, disks, metadata."""

import re
from collections.abc import Iterator

from tools.fake_gcp.checks.rules.base import Case, rule
from tools.fake_gcp.checks.rules.container import TPU_DISKS, WEEK
from tools.fake_gcp.checks.shape import Problem
from tools.fake_gcp.schema.kind import UNKNOWN
from tools.fake_gcp.schema.kinds.instances import REGION_TEMPLATE, TEMPLATE

BOOTABLE = ("hyperdisk-balanced", "hyperdisk-balanced-high-availability", "hyperdisk-extreme")
# https://cloud.google.com/compute/docs/disks/hyperdisks: gibibytes of the smallest and the largest disk.
SIZES = {
    "hyperdisk-balanced": (4, 65536),
    "hyperdisk-ml": (4, 65536),
    "hyperdisk-throughput": (2048, 32768),
    "hyperdisk-extreme": (64, 65536),
}


def _tpu(case: Case) -> bool:
    return str(case.get("machineType", "")).startswith("ct6e-")


@rule(TEMPLATE, REGION_TEMPLATE)
def disks(case: Case) -> Iterator[Problem]:
    """https://cloud.google.com/tpu/docs/setup-persistent-disk, /compute/docs/disks/hyperdisks#limitations."""
    items = case.get("disks", [])
    boot = [item for item in items if item.get("boot")]
    if len(boot) != 1:
        yield "disks.boot", f"A template has exactly one boot disk, and this one has {len(boot)}."
    for index, item in enumerate(items):
        kind = str(item.get("diskType", "")).split("/")[-1]
        if kind in ("", UNKNOWN):
            if _tpu(case) and not item.get("source"):
                yield (
                    f"disks[{index}].diskType",
                    "A v6e machine's disk must name its type: the default does not fit.",
                )
            continue
        if _tpu(case) and kind not in TPU_DISKS:
            yield f"disks[{index}].diskType", f"v6e machines take {' or '.join(TPU_DISKS)} disks, not {kind}."
        if item.get("boot") and kind.startswith("hyperdisk") and kind not in BOOTABLE:
            yield f"disks[{index}].diskType", f"A {kind} disk cannot be a boot disk."
        yield from _size(f"disks[{index}].diskSizeGb", kind, item.get("diskSizeGb"))
        if item.get("boot") and not (
            item.get("sourceImage") or item.get("source") or item.get("sourceSnapshot")
        ):
            yield f"disks[{index}].sourceImage", "A boot disk needs sourceImage, sourceSnapshot or source."


def _size(path: str, kind: str, size: int | None) -> Iterator[Problem]:
    low, high = SIZES.get(kind, (10, 65536))
    if size is not None and size != UNKNOWN and not low <= size <= high:
        yield path, f"A {kind} disk has {low} to {high} GB, not {size}."


@rule("gcp:compute/disk:Disk")
def disk(case: Case) -> Iterator[Problem]:
    """https://cloud.google.com/compute/docs/disks/hyperdisks and the Compute API's Disk.accessMode."""
    kind, mode = str(case.get("type", "pd-standard")).split("/")[-1], case.get("accessMode")
    yield from _size("size", kind, case.get("size"))
    if mode == "READ_ONLY_MANY" and kind != "hyperdisk-ml":
        yield "accessMode", f"READ_ONLY_MANY is for hyperdisk-ml, not {kind}."
    for path in ("provisionedIops", "provisionedThroughput"):
        if case.given(path) and not kind.startswith("hyperdisk"):
            yield path, f"{path} is for Hyperdisk, not {kind}."
    if case.given("provisionedIops") and kind in ("hyperdisk-ml", "hyperdisk-throughput"):
        yield "provisionedIops", f"A {kind} disk has no provisioned IOPS."
    sources = case.given("image", "snapshot", "sourceDisk", "sourceInstantSnapshot")
    if len(sources) > 1:
        yield sources[1], f"A disk is made from one source, not from {' and '.join(sources)}."
    if not case.variable("zone"):
        yield "zone", "A disk needs a zone."


@rule(TEMPLATE, REGION_TEMPLATE)
def scheduling(case: Case) -> Iterator[Problem]:
    """https://cloud.google.com/compute/docs/instances/create-use-spot, /provisioning-models and the
    Scheduling message of the discovery document; TPU machines cannot migrate:
    https://cloud.google.com/tpu/docs/v6e and /compute/docs/instances/live-migration-process#limitations."""
    model, path = case.get("scheduling.provisioningModel", "STANDARD"), "scheduling"
    restart = case.get("scheduling.automaticRestart", True)
    if _tpu(case) and case.get("scheduling.onHostMaintenance", "MIGRATE") != "TERMINATE":
        yield (
            f"{path}.onHostMaintenance",
            "A TPU machine cannot migrate: onHostMaintenance must be TERMINATE.",
        )
    if (model == "SPOT") != bool(case.get("scheduling.preemptible")):
        yield (
            f"{path}.preemptible",
            f"preemptible and provisioningModel SPOT go together; the model is {model}.",
        )
    if model in ("SPOT", "FLEX_START") and restart:
        yield (
            f"{path}.automaticRestart",
            f"A {model} machine is not restarted: automaticRestart must be false.",
        )
    seconds = case.get("scheduling.maxRunDuration.seconds")
    if model == "FLEX_START":
        if seconds is None and not case.given("scheduling.maxRunDuration"):
            yield f"{path}.maxRunDuration", "A FLEX_START machine needs maxRunDuration."
        if case.get("scheduling.instanceTerminationAction") != "DELETE":
            yield f"{path}.instanceTerminationAction", "A FLEX_START machine is deleted at its end: DELETE."
        if seconds is not None and int(seconds) > WEEK:
            yield (
                f"{path}.maxRunDuration",
                f"A FLEX_START machine runs at most {WEEK} seconds (7 days), not {seconds}.",
            )
    if seconds is not None and int(seconds) < 30:
        yield f"{path}.maxRunDuration", "maxRunDuration is at least 30 seconds."
    ending = case.given("scheduling.instanceTerminationAction")
    if (
        ending
        and model == "STANDARD"
        and not case.given("scheduling.maxRunDuration", "scheduling.terminationTime")
    ):
        yield (
            f"{path}.instanceTerminationAction",
            "A STANDARD machine ends only with maxRunDuration or terminationTime.",
        )


@rule(TEMPLATE, REGION_TEMPLATE)
def affinity(case: Case) -> Iterator[Problem]:
    """https://cloud.google.com/compute/docs/instances/reservations-consume"""
    kind, model = case.get("reservationAffinity.type"), case.get("scheduling.provisioningModel", "STANDARD")
    named = case.given("reservationAffinity.specificReservation")
    if (kind == "SPECIFIC_RESERVATION") != bool(named):
        yield "reservationAffinity", "specificReservation and type SPECIFIC_RESERVATION go together."
    if kind == "SPECIFIC_RESERVATION" and model in ("SPOT", "FLEX_START"):
        yield "reservationAffinity", f"A {model} machine cannot consume a reservation."
    if model == "FLEX_START" and kind != "NO_RESERVATION":
        yield "reservationAffinity", "A FLEX_START machine must state NO_RESERVATION."


@rule(TEMPLATE, REGION_TEMPLATE)
def parts(case: Case) -> Iterator[Problem]:
    """Metadata: https://cloud.google.com/compute/docs/metadata/setting-custom-metadata#limitations;
    network tags: https://cloud.google.com/vpc/docs/add-remove-network-tags#restrictions."""
    total = 0
    for key, value in case.get("metadata", {}).items():
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", key):
            yield "metadata", f"The metadata key {key!r} must be 1 to 128 letters, digits, '-' or '_'."
        total += len(str(value).encode())
        if len(str(value).encode()) > 256 * 1024:
            yield "metadata", f"The metadata value of {key!r} exceeds 256 KiB."
    if total > 512 * 1024:
        yield "metadata", "The metadata of one instance exceeds 512 KiB."
    if case.given("metadataStartupScript") and "startup-script" in case.get("metadata", {}):
        yield (
            "metadataStartupScript",
            ("The start-up script is given twice: in metadata and in metadataStartupScript."),
        )
    for tag in case.get("tags", []):
        if tag != UNKNOWN and not re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", tag):
            yield "tags", f"The network tag {tag!r} must be 1 to 63 lower-case letters, digits or hyphens."
    if not case.given("networkInterfaces"):
        yield "networkInterfaces", "A template needs a network interface."
