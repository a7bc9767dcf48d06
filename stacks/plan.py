"""From settings to everything that follows from them, before any resource exists.

Pure: settings in, numbers, findings and the release out. What cannot work is refused here, so that a
wrong stack never touches a cluster.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent import bundle
from config.selection import candidate_of
from config.settings import Settings
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
    """Returns what follows from `settings`. Raises ValueError, one sentence a line, for what cannot serve.

    `node_wait_seconds` is what a rollout waits for capacity that comes only when Google has some.
    """
    candidate = proofs.with_proof(candidate_of(settings))
    every = findings.findings(candidate)
    findings.refuse_errors(every)
    cold_start = estimate(candidate)
    timeouts = lifecycle(cold_start, settings.longest_request_seconds, node_wait_seconds)
    return Plan(
        candidate=candidate,
        memory=budget(candidate),
        cold_start=cold_start,
        fingerprint=fingerprint.fingerprint(candidate, image=image),
        lifecycle=timeouts,
        findings=every,
        release=release.release(
            candidate,
            image=image,
            lifecycle=timeouts,
            agent_digest=bundle.digest(),
            require_api_key=settings.authentication == "api-key",
        ),
    )
