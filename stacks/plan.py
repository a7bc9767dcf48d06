"""Plan of a serving stack: everything that follows from its settings, before any resource exists.

The function `plan` is pure. It refuses settings that cannot work, so that a wrong stack never changes a
cluster.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent import bundle
from config.selection import candidate_of
from config.settings import Settings
from config.zone_findings import zone_findings
from serving import findings
from serving.compilation import fingerprint, proofs
from serving.compilation.candidate import Candidate
from serving.compilation.fingerprint import Fingerprint
from serving.deploy import release
from serving.deploy.release import Release
from serving.memory.budget import budget
from serving.memory.terms import Memory
from serving.messages.finding import Finding
from serving.startup.cold_start import ColdStart, estimate
from serving.startup.timeouts import Lifecycle, lifecycle


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A stack's candidate with its budgets, its findings and its release."""

    candidate: Candidate
    memory: Memory
    cold_start: ColdStart
    fingerprint: Fingerprint
    lifecycle: Lifecycle
    findings: tuple[Finding, ...]
    release: Release


def plan(settings: Settings, image: str, node_wait_seconds: int = 0) -> Plan:
    """Returns the plan of `settings`. Raises ValueError, one sentence on each line, if it could not serve.

    `node_wait_seconds` are the seconds that a rollout also waits until Google has capacity.
    """
    candidate = proofs.with_proof(candidate_of(settings))
    engine_findings = (*findings.findings(candidate), *zone_findings(settings))
    findings.refuse_errors(engine_findings)
    cold_start = estimate(candidate)
    timeouts = lifecycle(cold_start, settings.longest_request_seconds, node_wait_seconds)
    return Plan(
        candidate=candidate,
        memory=budget(candidate),
        cold_start=cold_start,
        fingerprint=fingerprint.fingerprint(candidate, image=image),
        lifecycle=timeouts,
        findings=engine_findings,
        release=release.release(
            candidate,
            image=image,
            lifecycle=timeouts,
            agent_digest=bundle.digest(),
            require_api_key=settings.authentication == "api-key",
            allowed_origins=settings.allowed_origins,
        ),
    )
