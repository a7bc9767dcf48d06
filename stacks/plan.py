"""From settings to everything that follows from them, before any resource exists.

Pure: settings in, numbers, findings and the release out. What cannot work is refused here, so that a
wrong stack never touches a cluster.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent import bundle
from serving import coldstart, findings, fingerprint, memory, proofs, release
from serving.accelerators import Accelerator, accelerator
from serving.coldstart import ColdStart
from serving.engine import EngineConfig
from serving.finding import Finding
from serving.fingerprint import Fingerprint
from serving.lifecycle import Lifecycle, lifecycle
from serving.memory import Memory
from serving.models import ModelSpec, model
from serving.phases import engine_for
from serving.release import Release
from stacks.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a stack will run: the resolved tables, the engine, its budgets, its findings, its release."""

    accelerator: Accelerator
    model: ModelSpec
    engine: EngineConfig
    memory: Memory
    cold_start: ColdStart
    fingerprint: Fingerprint
    lifecycle: Lifecycle
    findings: tuple[Finding, ...]
    release: Release


def plan(settings: Settings, image: str, node_wait_seconds: int = 0) -> Plan:
    """Resolve `settings`. Raises ValueError, one sentence a line, for whatever could not serve.

    `node_wait_seconds` is what a rollout waits for capacity that comes only when Google has some.
    """
    engine = engine_for(settings.phase, settings.scenario, settings.engine)
    slice_ = accelerator(settings.accelerator)
    spec = model(settings.model_name)
    if settings.model_revision is not None:
        spec = replace(spec, revision=settings.model_revision)
    proof = proofs.of(slice_, spec, engine)
    found = findings.findings(slice_, spec, engine, proof)
    errors = [finding for finding in found if finding.severity == "error"]
    if errors:
        raise ValueError("\n".join(str(finding) for finding in errors))
    cold_start = coldstart.estimate(slice_, spec, engine, proof)
    life = lifecycle(cold_start, settings.longest_request_seconds, node_wait_seconds)
    return Plan(
        accelerator=slice_,
        model=spec,
        engine=engine,
        memory=memory.budget(slice_, spec, engine, proof),
        cold_start=cold_start,
        fingerprint=fingerprint.fingerprint(image=image, model=spec, accelerator=slice_, engine=engine),
        lifecycle=life,
        findings=found,
        release=release.release(
            engine=engine,
            model=spec,
            accelerator=slice_,
            image=image,
            lifecycle=life,
            agent_digest=bundle.digest(),
            require_api_key=settings.authentication == "api-key",
        ),
    )
