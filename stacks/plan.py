"""From settings to everything that follows from them, before any resource exists.

Pure: settings in, numbers, findings and the release out. What cannot work is refused here, so that a
wrong stack never touches a cluster.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent import bundle
from config.settings import Settings
from serving import findings
from serving.compilation import fingerprint, proofs
from serving.compilation.fingerprint import Fingerprint
from serving.deploy import release
from serving.deploy.release import Release
from serving.engine.config import EngineConfig
from serving.engine.phases import engine_for
from serving.hardware.accelerators import Accelerator, accelerator
from serving.memory.budget import budget
from serving.memory.terms import Memory
from serving.messages.finding import Finding
from serving.models.catalog import model
from serving.models.spec import ModelSpec
from serving.startup.cold_start import ColdStart, estimate
from serving.startup.timeouts import Lifecycle, lifecycle


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
    cold_start = estimate(slice_, spec, engine, proof)
    life = lifecycle(cold_start, settings.longest_request_seconds, node_wait_seconds)
    return Plan(
        accelerator=slice_,
        model=spec,
        engine=engine,
        memory=budget(slice_, spec, engine, proof),
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
