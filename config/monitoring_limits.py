"""Limits of a stack's alerts and objectives, and what its target cannot have: both follow from the whole
stack."""

from __future__ import annotations

from collections.abc import Iterator

from config.monitoring import Monitoring
from config.settings import Settings
from config.targets import FoundationTarget, GkeTarget, LocalTarget, TpuVmTarget
from serving.engine.config import EngineConfig
from serving.memory.terms import Memory
from serving.messages.finding import Finding
from serving.monitoring.slo import Objective, objectives
from serving.monitoring.thresholds import Thresholds, first_token_bucket
from serving.startup.timeouts import Lifecycle

OF_GOOGLE = ("api_key_days", "budget", "channels", "enabled")
"""Fields that only Cloud Monitoring or Secret Manager can honor."""

OF_CLOUD_MONITORING = ("budget", "channels")
"""Fields that only Cloud Monitoring reads; the other ones also decide what `make monitoring` writes."""


def monitoring_problems(settings: Settings) -> Iterator[str]:
    """Yields one sentence for each setting of the monitoring that the stack's target cannot honor."""
    asked = settings.monitoring
    given = asked.model_fields_set
    match settings.target:
        case FoundationTarget():
            for field in sorted(given):
                yield (
                    f"monitoring.{field} is set, and target.kind is foundation, which serves nothing; set it "
                    "in the files of the stacks that serve."
                )
        case LocalTarget():
            for field in OF_GOOGLE:
                if field in given:
                    yield (
                        f"monitoring.{field} is set, and target.kind is local, where neither Cloud "
                        "Monitoring nor Secret Manager is; remove it: `make monitoring` writes alerts and a "
                        "dashboard for your own Prometheus."
                    )
        case _:
            if (
                asked.api_key_days is not None
                and "api_key_days" in given
                and settings.authentication == "none"
            ):
                yield (
                    "monitoring.api_key_days is set and authentication is none, so there is no key that "
                    "could be too old; remove it."
                )
            for field in OF_CLOUD_MONITORING:
                if field in given and not asked.enabled:
                    yield (
                        f"monitoring.{field} is set and monitoring.enabled is false, so nothing would use "
                        "it; set monitoring.enabled to true, or remove it."
                    )


def monitoring_findings(settings: Settings) -> tuple[Finding, ...]:
    """Returns what the monitoring of a stack leaves out or reads otherwise; nothing while it is off.

    Raises ValueError as `first_token_bucket` does.
    """
    asked = settings.monitoring
    if not asked.enabled:
        return ()
    return (*_no_channel(asked), *_other_bucket(settings.acceptance.limits.time_to_first_token_ms))


def _no_channel(asked: Monitoring) -> Iterator[Finding]:
    """Yields a warning if nobody is notified."""
    if not asked.channels:
        yield Finding(
            severity="warning",
            code="no-notification-channel",
            field="monitoring.channels",
            asked="monitoring.channels is empty",
            truth="only the console shows that an alert fires",
            change="set monitoring.channels to names that `gcloud beta monitoring channels list` prints",
        )


def _other_bucket(limit: float | None) -> Iterator[Finding]:
    """Yields a note if a limit in milliseconds lies between two buckets, so that alerts read another one."""
    if limit is None or (bucket := first_token_bucket(limit) * 1000) == limit:
        return
    field = "acceptance.limits.time_to_first_token_ms"
    yield Finding(
        severity="note",
        code="first-token-bucket",
        field=field,
        asked=f"{field} is {limit:g}",
        truth=f"vLLM's histogram has no bucket that ends there, so alert and objective read {bucket:g} ms",
        change=f"set {field} to {bucket:g} if both must check the same limit",
        changes=({field: bucket},),
    )


def thresholds(settings: Settings, engine: EngineConfig, memory: Memory, lifecycle: Lifecycle) -> Thresholds:
    """Returns what the alerts of a stack compare with. Raises ValueError as `first_token_bucket` does."""
    limit = settings.acceptance.limits.time_to_first_token_ms
    promotion = settings.promotion
    has_secret = settings.authentication == "api-key" and isinstance(settings.target, GkeTarget | TpuVmTarget)
    return Thresholds(
        servers=settings.replicas,
        requests_at_once=engine.max_num_seqs,
        boot_seconds=lifecycle.progress_deadline_seconds,
        free_hbm_bytes=max(memory.left_bytes, 0) if memory.modeled else 0,
        first_token_seconds=None if limit is None else first_token_bucket(limit),
        has_archive=promotion is not None and promotion.record.archive is not None,
        key_days=settings.monitoring.api_key_days if has_secret else None,
    )


def stack_objectives(settings: Settings) -> tuple[Objective, ...]:
    """Returns the objectives of a stack. Raises ValueError as `first_token_bucket` does."""
    limit = settings.acceptance.limits.time_to_first_token_ms
    asked = settings.monitoring
    return objectives(
        asked.availability, asked.first_token, None if limit is None else first_token_bucket(limit)
    )
