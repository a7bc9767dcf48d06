"""Diagnosis of a stack of TPU VMs: its group, its machines, and the stages of their boot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from config.stockout import is_stockout
from operate.diagnosis import traffic
from operate.diagnosis.evidence import PodPages
from operate.diagnosis.finding import Finding, conclusion, quoted_line

Document = Mapping[str, Any]

GROUP, MACHINE, BOOT, SERVER = "group", "machine", "boot", "server"


@dataclass(frozen=True)
class Machine:
    """One machine of the stack."""

    name: str
    zone: str
    state: str
    """Compute Engine's status of the instance, or the Cloud TPU API's state of the node."""
    action: str = "NONE"
    """The group's currentAction; NONE when it has nothing to do."""
    health: str = ""
    """The group's detailedHealthState; empty without a health check."""
    errors: Sequence[str] = ()
    """Errors of the last attempt of that action, each with its code."""
    report: Document | None = None
    """Report of the boot (agent/vm/boot_status.py); None when there is none to read."""
    address: str = ""
    """Address in the VPC, which only the Cloud TPU API's machines need here."""

    @property
    def runs(self) -> bool:
        """Returns whether the machine runs."""
        return self.state in RUNNING

    @property
    def serves(self) -> bool:
        """Returns whether the machine runs and its boot has ended with an accepted server."""
        return self.runs and (self.report or {}).get("state") == "serving"


RUNNING = ("RUNNING", "READY")
"""States of a machine that runs: Compute Engine's and the Cloud TPU API's."""


@dataclass(frozen=True)
class MachineEvidence:
    """Machines of a stack, and the errors of their group, newest first."""

    stack: str
    wanted: int
    machines: Sequence[Machine]
    group_errors: Sequence[str] = ()


def of_machines(evidence: MachineEvidence, pages: Mapping[str, PodPages]) -> tuple[list[Finding], str]:
    """Returns the findings in order, and the sentence that names the cause and the next command.

    `pages` are those of the sidecars, by the name of the machine.
    """
    findings = [*_group(evidence)]
    for machine in evidence.machines:
        findings += _machine(machine, evidence.stack)
    findings += traffic.counted(pages, evidence.stack, "machine")
    serving = sum(machine.serves for machine in evidence.machines)
    fine = f"All {evidence.wanted} machines of {evidence.stack} serve; nothing is wrong."
    if evidence.wanted == 1:
        fine = f"The machine of {evidence.stack} serves; nothing is wrong."
    sentence = conclusion(findings, fine)
    if sentence == fine:
        return findings, fine
    return findings, f"{serving} of {evidence.wanted} machines of {evidence.stack} serve: {sentence}"


def _group(evidence: MachineEvidence) -> list[Finding]:
    missing = evidence.wanted - len(evidence.machines)
    if missing <= 0:
        return [Finding(GROUP, "fine", f"{len(evidence.machines)} machines exist")]
    if evidence.group_errors:
        return [_creation(f"{missing} machines are missing", evidence.group_errors[0], evidence.stack)]
    cause = f"{missing} machines are missing, and the group reports no error"
    return [Finding(GROUP, "fault", cause, f"run `pulumi up -s {evidence.stack}`")]


def _creation(what: str, error: str, stack: str) -> Finding:
    said = quoted_line(error)
    if "quota" in error.lower():
        advice = "request more (docs/operations.md, step 1), or set another target.capacity.kind"
        return Finding(GROUP, "fault", f"{what}, because the project's TPU quota is used up ({said})", advice)
    if is_stockout([error]):
        advice = (
            "wait, because the group tries again, or add target.other_zones or another target.capacity.kind "
            f"and run `pulumi up -s {stack}`"
        )
        return Finding(GROUP, "fault", f"{what}, because Google has no capacity in the zone ({said})", advice)
    return Finding(
        GROUP, "fault", f"{what} ({said})", f"change what it names, and run `pulumi up -s {stack}`"
    )


def _machine(machine: Machine, stack: str) -> list[Finding]:
    name = machine.name
    if not machine.runs:
        if machine.errors:
            return [_creation(f"machine {name} is not created", machine.errors[0], stack)]
        doing = f", and its group is {machine.action}" if machine.action != "NONE" else ""
        state = machine.state or "not created yet"
        level = "waiting" if machine.action != "NONE" else "fault"
        advice = (
            f"run `make why STACK={stack}` again in minutes"
            if level == "waiting"
            else f"run `pulumi destroy -s {stack}` and `pulumi up -s {stack}`, because nothing recreates it"
        )
        return [Finding(MACHINE, level, f"machine {name} is {state}{doing}", advice)]
    found = [Finding(MACHINE, "fine", f"machine {name} runs")]
    if machine.report is None:
        cause = f"machine {name} has no report of its boot: it has not begun, or guest attributes are off"
        return [*found, Finding(BOOT, "waiting", cause, f"read `make logs STACK={stack} COMPONENT=boot`")]
    return [*found, *_boot(machine, machine.report, stack)]


def _boot(machine: Machine, report: Document, stack: str) -> list[Finding]:
    """Returns a finding for each stage of a boot, in their order, and one for the health check."""
    found = list[Finding]()
    stages: Mapping[str, Document] = report.get("stages", {})
    for stage, entry in stages.items():
        what = f"stage {stage} of machine {machine.name}"
        note = f" ({quoted_line(entry['note'])})" if entry.get("note") else ""
        if entry.get("state") == "failed":
            reason = quoted_line(entry.get("reason") or "no reason is given", 600)
            found.append(Finding(BOOT, "fault", f"{what} failed: {reason}", _advice(stage, stack)))
        elif entry.get("state") == "running":
            cause = f"{what} is running{note}"
            advice = f"follow it with `make logs STACK={stack}`"
            found.append(Finding(BOOT, "waiting", cause, advice))
        elif stage == "cache" and "not restored" in (entry.get("note") or ""):
            cause = f"machine {machine.name} compiled everything, because its cache was {entry['note']}"
            found.append(Finding(BOOT, "warning", cause, "see docs/operations-tpu-vm.md, The compile cache"))
        elif stage == "publish" and "not published (" in (entry.get("note") or ""):
            cause = f"machine {machine.name} left no compile cache: {quoted_line(entry['note'])}"
            found.append(Finding(BOOT, "warning", cause, "see docs/operations-tpu-vm.md, The compile cache"))
        elif stage == "metrics":
            found.append(_metrics(machine.name, entry.get("note") or "", stack))
        else:
            found.append(Finding(BOOT, "fine", f"{what} is done{note}"))
    if machine.serves and machine.health in ("UNHEALTHY", "TIMEOUT"):
        cause = f"machine {machine.name} has booted, and its health check says {machine.health}"
        found.append(Finding(SERVER, "fault", cause, f"read `make logs STACK={stack}`"))
    return found


def _metrics(machine: str, note: str, stack: str) -> Finding:
    """Returns the finding about the collector, which reports by notes only (agent/vm/collector.py)."""
    said = f"the collector of machine {machine} reports: {quoted_line(note)}"
    if note.startswith("no metrics"):
        return Finding(BOOT, "warning", said, f"read `make logs STACK={stack} COMPONENT=collector`")
    return Finding(BOOT, "fine", said)


def _advice(stage: str, stack: str) -> str:
    """Returns what to do about a failed stage; docs/operations-tpu-vm.md has the table of their sentences."""
    again = (
        "then run `sudo systemctl restart google-startup-scripts` on the machine "
        "(docs/operations-tpu-vm.md, When a stage fails)"
    )
    if stage == "secrets":
        return f"run `make key STACK={stack}`, which also starts the boot again"
    if stage in ("server", "health"):
        return f"read `make logs STACK={stack}`, {again}"
    if stage == "acceptance":
        return f"read `make logs STACK={stack} COMPONENT=sidecar`, or run `make rollback STACK={stack}`"
    return f"follow that sentence, {again}"
