"""Metrics of the sidecar in Prometheus' format: readiness, verdict, boot, release, cache, chips and key."""

from collections.abc import Iterable, Sequence

import grpc
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from agent.sidecar import engine_events, evidence, libtpu
from agent.sidecar.engine_events import Events
from agent.sidecar.key_age import KeyAge
from agent.sidecar.lifecycle import Lifecycle
from agent.sidecar.settings import Settings
from agent.sidecar.verdict import STATES, Verdict

CHIPS_SECONDS = 1.0
"""Seconds that libtpu has for each gauge: a collector gives up a whole scrape after some seconds."""


class SidecarMetrics(Collector):
    """Values that are read from the status files, the server, libtpu and the sidecar at each scrape."""

    def __init__(self, settings: Settings, lifecycle: Lifecycle, key: KeyAge | None) -> None:
        self._settings, self._lifecycle, self._key = settings, lifecycle, key

    def collect(self) -> Iterable[Metric]:
        """Yields the current values."""
        verdict = self._lifecycle.verdicts.read()
        counts = engine_events.events(self._settings)
        yield GaugeMetricFamily(
            "tpuserve_ready", "Server that answers /ready with 200: 1.", value=float(self._lifecycle.ready())
        )
        yield from _verdict(verdict)
        yield self._boot(verdict, counts)
        record = self._settings.record
        yield _gauge(
            "release_info",
            "The release that this server runs.",
            ("release", "model", "revision", "accelerator", "image", "fingerprint"),
            [
                (
                    *(record.release, record.model, record.revision or "", record.accelerator, record.image),
                    record.fingerprint,
                )
            ],
        )
        yield _gauge(
            "release_record",
            "Objects that the accepted release leaves in the bucket, and whether they were written.",
            ("object", "result"),
            [*self._lifecycle.records.results.items()],
        )
        yield from self._cache(counts)
        yield from _chips()
        created = GaugeMetricFamily(
            "tpuserve_api_key_created_timestamp_seconds",
            "Unix time at which the newest version of the API key's secret was created.",
        )
        if self._key is not None and self._key.created is not None:
            created.add_metric((), self._key.created)
        yield created

    def _boot(self, verdict: Verdict | None, counts: Events | None) -> Metric:
        """Returns the seconds of each part of this boot that has ended.

        `server` counts from the engine's start to the acceptance's begin, its compilation included.
        """
        parts: dict[str, float] = {}
        restored = evidence.read_status(self._settings.cache_restore_file).get("seconds")
        if isinstance(restored, int | float):
            parts["cache_restore"] = float(restored)
        if counts is not None and counts.warm_up is not None:
            parts["compile"] = counts.warm_up.compile_seconds
        if verdict is not None and verdict.finished is not None:
            parts["acceptance"] = sum(check.seconds for check in verdict.checks)
            if counts is not None:
                parts["server"] = verdict.finished - parts["acceptance"] - counts.started
        seconds = GaugeMetricFamily(
            "tpuserve_boot_seconds", "Seconds of a part of this boot.", labels=("part",)
        )
        for part, value in parts.items():
            seconds.add_metric((part,), value)
        return seconds

    def _cache(self, counts: Events | None) -> Iterable[Metric]:
        for name, file in (
            ("restore", self._settings.cache_restore_file),
            ("publish", self._settings.cache_publish_file),
        ):
            result = evidence.read_status(file).get("result")
            values = [(str(result),)] if result else []
            yield _gauge(
                f"compile_cache_{name}", f"Result of the compile cache's {name}.", ("result",), values
            )
        programs = GaugeMetricFamily(
            "tpuserve_compile_cache_programs",
            "Programs that the engine looked up in its compile cache since its start.",
            labels=("result",),
        )
        late = GaugeMetricFamily(
            "tpuserve_compiled_after_warm_up", "Programs that requests waited for after the warm-up."
        )
        slow = CounterMetricFamily(
            "tpuserve_slow_compilations",
            "Programs whose compilation made a request wait for seconds after the warm-up.",
            labels=(),
        )
        if counts is not None:
            programs.add_metric(("hit",), counts.hits)
            programs.add_metric(("miss",), counts.misses)
            late.add_metric((), counts.compiled_after_warm_up)
            slow.add_metric((), counts.slow_programs)
        yield from (programs, late, slow)


def _verdict(verdict: Verdict | None) -> Iterable[Metric]:
    state = verdict.state if verdict is not None else "waiting"
    states = GaugeMetricFamily("tpuserve_acceptance", "State of the acceptance: 1.", labels=("state",))
    for each in STATES:
        states.add_metric((each,), float(each == state))
    yield states
    checks = verdict.checks if verdict is not None else ()
    yield _gauge(
        "acceptance_check",
        "Result of each check of the acceptance.",
        ("check", "result"),
        [(check.name, check.result) for check in checks],
    )


def _chips() -> Iterable[Metric]:
    """Yields what libtpu reports of each chip; nothing where it does not answer, as on a machine without
    TPU."""
    used = GaugeMetricFamily("tpuserve_hbm_used_bytes", "HBM of a chip in use.", labels=("chip",))
    free = GaugeMetricFamily("tpuserve_hbm_free_bytes", "HBM of a chip that is free.", labels=("chip",))
    duty = GaugeMetricFamily(
        "tpuserve_tensorcore_duty_cycle_ratio",
        "Share of the time in which a chip's TensorCore worked, from 0 to 1.",
        labels=("chip",),
    )
    try:
        total, in_use = libtpu.memory(CHIPS_SECONDS)
        for chip in total.keys() & in_use.keys():
            used.add_metric((str(chip),), in_use[chip])
            free.add_metric((str(chip),), total[chip] - in_use[chip])
        for chip, percent in libtpu.read(libtpu.DUTY_CYCLE, CHIPS_SECONDS).items():
            duty.add_metric((str(chip),), percent / 100)
    except (grpc.RpcError, ValueError):
        # One of them may be missing in a version of libtpu; what was read before it stays.
        pass
    yield from (used, free, duty)


def _gauge(name: str, text: str, labels: Sequence[str], values: Sequence[Sequence[str]]) -> Metric:
    """Returns a gauge that is 1 for each of the label values."""
    gauge = GaugeMetricFamily(f"tpuserve_{name}", text, labels=labels)
    for value in values:
        gauge.add_metric(value, 1.0)
    return gauge


def page(collector: Collector) -> bytes:
    """Returns the text of `/metrics`."""
    registry = CollectorRegistry()
    registry.register(collector)
    return generate_latest(registry)
