"""Plan of a serving stack: everything that follows from its settings, before any resource exists.

The function `plan` is pure. It refuses settings that cannot work, so that a wrong stack never changes a
cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agent import bundle
from agent.agent_files import digest
from config.selection import candidate_of, lifecycle_of, release_of, settings_findings
from config.settings import Settings
from config.traffic.verdict import Verdict, verdict
from serving.compilation import fingerprint, proofs
from serving.compilation.candidate import Candidate
from serving.compilation.fingerprint import Fingerprint
from serving.deploy.access import access_environment
from serving.deploy.record import Archive, Promotion, static_record
from serving.deploy.release import Release
from serving.findings import refuse_errors
from serving.memory.budget import budget
from serving.memory.terms import Memory
from serving.messages.finding import Finding
from serving.startup.cold_start import ColdStart, estimate
from serving.startup.timeouts import Lifecycle


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
    environment: Mapping[str, str]
    """Variables of the server's container: the release's, and those that belong to this stack."""
    agent_files: Mapping[str, str]
    """Text of each of the release's agent files, by its path below the agent's folder."""
    record: Mapping[str, object]
    """The release's record without archive and verdict; that of a promoted release has its commit."""
    accepted: bool
    """True for a promoted release, which has passed its acceptance on a server before."""
    archive: Archive | None
    """The compile cache of the accepted server, if the stack runs a promoted release."""
    load: Verdict | None
    """The verdict on the stack's expected load, if it names one."""


def plan(settings: Settings, image: str) -> Plan:
    """Returns the plan of `settings`. Raises ValueError, one sentence on each line, if it could not serve."""
    candidate = proofs.with_proof(candidate_of(settings))
    promotion = settings.promotion
    found = settings_findings(settings, candidate)
    refuse_errors(found)
    memory = budget(candidate)
    load = (
        verdict(settings.expected_load, candidate, memory.pool.pages, settings.replicas)
        if settings.expected_load
        else None
    )
    cold_start = estimate(candidate)
    timeouts = lifecycle_of(settings, cold_start)
    files = _agent_files(promotion)
    planned = release_of(settings, candidate, image=image, lifecycle=timeouts, agent_digest=digest(files))
    access = access_environment(
        require_api_key=settings.authentication == "api-key", allowed_origins=settings.allowed_origins
    )
    caches = fingerprint.fingerprint(candidate, image=image)
    return Plan(
        candidate=candidate,
        memory=memory,
        cold_start=cold_start,
        fingerprint=caches,
        lifecycle=timeouts,
        findings=(*found, *(load.findings if load else ())),
        release=planned,
        environment=dict(sorted({**dict(planned.environment), **access}.items())),
        agent_files=files,
        record=_record(settings, candidate, planned, caches),
        accepted=promotion is not None,
        archive=promotion.record.archive if promotion else None,
        load=load,
    )


def _agent_files(promotion: Promotion | None) -> Mapping[str, str]:
    """Returns the agent's files of the promoted release, else today's.

    Raises ValueError, one sentence, for files with another digest than the release's record has.
    """
    if promotion is None:
        return bundle.files()
    found, recorded = digest(promotion.agent_files), promotion.record.agent
    if found != recorded:
        raise ValueError(
            f"releases/agents/{recorded}.json holds files with the digest {found}: it was changed after its "
            "release was accepted; take it from git or from the artifact bucket again."
        )
    return promotion.agent_files


def _record(
    settings: Settings, candidate: Candidate, planned: Release, caches: Fingerprint
) -> Mapping[str, object]:
    if settings.promotion is not None:
        return settings.promotion.record.model_dump(mode="json", exclude={"archive", "accepted", "verdict"})
    return static_record(
        planned,
        candidate,
        fingerprint=caches.digest,
        longest_request_seconds=settings.longest_request_seconds,
    )
