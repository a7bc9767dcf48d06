"""The numbers of an engine on a slice, as rows that say how each is known."""

from collections.abc import Iterator
from datetime import date
from typing import cast

from pydantic import BaseModel

from config.selection import Selection
from explain import verdict
from explain.row import Row
from serving.compilation.fingerprint import fingerprint
from serving.deploy import container_layout
from serving.findings.memory import TYPICAL_TOKENS
from serving.hardware import prices
from serving.hardware.regions import Provisioning
from serving.memory.budget import budget
from serving.memory.terms import Memory
from serving.messages.units import GIB, duration, gib, span
from serving.models.measured_throughput import measured
from serving.startup import cold_start
from serving.startup.cold_start import Range

RESOLVED = ("block_size", "async_scheduling")
"""Fields whose resolved values are rows of their own."""


def rows(selection: Selection, region: str, provisioning: Provisioning, today: date) -> tuple[Row, ...]:
    """Returns all rows, in reading order. The row of an unknown number has the reason as its text."""
    return (
        *verdict.rows(selection),
        *_server(selection),
        *_memory(selection),
        *_load(selection),
        *_measured(selection),
        *_programs(selection),
        *_cold_start(selection),
        *_life(selection),
        *_cost(selection, region, provisioning, today),
    )


def _server(selection: Selection) -> Iterator[Row]:
    slice_, engine = selection.candidate.accelerator, selection.candidate.engine
    yield Row("server", "accelerator", slice_.name, f"{slice_.name}, {slice_.chips} chips")
    yield Row("server", "model", selection.candidate.model.name, selection.candidate.model.name)
    for field in type(engine).model_fields:
        value = getattr(engine, field)
        if value is not None and value != {} and field not in RESOLVED:
            plain = _data(value)
            yield Row("server", field, plain, _plain(plain))


def _data(value: object) -> object:
    """Returns a field's value as JSON, with the names of the stack file instead of vLLM's."""
    if isinstance(value, BaseModel):
        return {name: _data(part) for name, part in value if part is not None}
    if isinstance(value, tuple):
        return list(cast(tuple[object, ...], value))
    return value


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        parts = cast(dict[str, object], value).items()
        return ", ".join(f"{name} {_plain(part)}" for name, part in parts if part is not None)
    if isinstance(value, list):
        return " ".join(_plain(part) for part in cast(list[object], value))
    return str(value)


def _memory(selection: Selection) -> Iterator[Row]:
    section = "memory of one chip"
    try:
        terms = budget(selection.proved)
    except ValueError as reason:
        yield Row(section, "budget", None, str(reason))
        return
    yield Row(section, "usable", terms.hbm_bytes, gib(terms.hbm_bytes))
    for group in terms.weights:
        padding = f", {gib(group.padding_bytes)} of it padding" if group.padding_bytes > GIB // 10 else ""
        yield Row(section, f"weights: {group.name}", group.bytes, gib(group.bytes) + padding, group.basis)
    yield Row(
        section,
        "KV cache",
        terms.kv_bytes,
        f"{gib(terms.kv_bytes)}, {terms.kv_token_bytes / 1024:g} KiB a token",
        terms.pool_basis,
    )
    if not terms.modeled:
        yield Row(section, "programs", None, terms.basis)
        yield from _requests(selection, terms)
        return
    yield Row(section, "programs", terms.code_bytes, gib(terms.code_bytes), terms.basis)
    if largest := terms.largest:
        text = f"{gib(largest.bytes)}, {largest.name}, live {largest.live}"
        yield Row(section, "largest buffer", largest.bytes, text, terms.basis)
    yield Row(section, "left", terms.left_bytes, gib(terms.left_bytes), terms.basis)
    yield from _requests(selection, terms)


def _requests(selection: Selection, terms: Memory) -> Iterator[Row]:
    pool, engine = terms.pool, selection.candidate.engine
    yield Row("requests", "KV tokens", pool.tokens, f"{pool.tokens:,}", terms.pool_basis)
    for length in sorted({TYPICAL_TOKENS, engine.max_model_len}):
        if length <= engine.max_model_len:
            resident = min(pool.resident_requests(length), engine.max_num_seqs)
            label = f"at once, {length:,} tokens each"
            yield Row("requests", label, resident, f"{resident:,}", terms.pool_basis)
    yield Row("requests", "block size", pool.block_size, f"{pool.block_size} tokens", "exact")


def _load(selection: Selection) -> Iterator[Row]:
    """Yields the verdict on the load that a stack expects, unless its KV cache cannot be computed."""
    try:
        verdict_ = selection.load_verdict
    except ValueError:
        return
    if verdict_ is not None:
        known = verdict_.simulation
        basis = f"simulated, vllm-tpu {known.vllm}" if known and known.cells else ""
        yield Row("expected load", verdict_.expected.load, known and known.needed, verdict_.line, basis)


def _measured(selection: Selection) -> Iterator[Row]:
    """Yields the throughput that others measured with this model on this slice."""
    section, candidate = "throughput of another engine", selection.candidate
    for row in measured(candidate.model.name, candidate.accelerator.name):
        engine = f"{row.max_num_seqs} slots, {row.max_num_batched_tokens:,} tokens a step"
        source = f"github.com/xbill9/gemma4-dev at {row.commit}"
        yield Row(section, "that engine", engine, engine, source)
        for cell in row.cells:
            label = f"{cell.concurrency} at once, {cell.prompt:,} tokens in"
            rate = cell.output_tokens_per_second
            text = f"{rate:,.0f} tokens a second, {cell.output} in each answer"
            yield Row(section, label, rate, text, f"measured ({row.path}, {row.version})")


def _programs(selection: Selection) -> Iterator[Row]:
    runtime = selection.candidate.runtime
    programs = runtime.programs
    buckets = programs.buckets.tokens
    shown = (
        " ".join(str(size) for size in buckets)
        if len(buckets) <= 13
        else (f"{' '.join(str(size) for size in buckets[:4])} … {buckets[-1]}")
    )
    yield Row("programs", "all", programs.total, f"{programs.total:,}", "exact")
    yield Row("programs", "whole models", programs.backbones, f"{programs.backbones:,}", "exact")
    yield Row("programs", "token buckets", list(buckets), f"{len(buckets)}: {shown}", "exact")
    graph = fingerprint(selection.candidate, image="")
    yield Row("programs", "graph, of compile cache", graph.graph_digest, graph.graph_digest, "exact")
    yield Row("programs", "async scheduling", runtime.async_scheduling, _plain(runtime.async_scheduling))
    yield Row("programs", "images", runtime.multimodal, _plain(runtime.multimodal))


def _cold_start(selection: Selection) -> Iterator[Row]:
    estimate = cold_start.estimate(selection.candidate)
    for part in estimate.parts:
        cold, warm = estimate.range(part.cold_seconds), estimate.range(part.warm_seconds)
        yield _seconds(part.name, cold, warm, f"{part.source}: {part.basis}")
    yield _seconds("total", estimate.cold, estimate.warm)


def _seconds(label: str, cold: Range, warm: Range, basis: str = "") -> Row:
    return Row(
        "cold start",
        label,
        {"cold": [cold.low, cold.high], "warm": [warm.low, warm.high]},
        f"{span(cold.low, cold.high)} cold, {span(warm.low, warm.high)} warm",
        basis,
    )


def _life(selection: Selection) -> Iterator[Row]:
    life = selection.lifecycle
    startup = life.startup_period_seconds * life.startup_failure_threshold
    section = "timeouts"
    yield Row(section, "startup probe", startup, duration(startup), "cold start, upper end and its margin")
    yield Row(
        section,
        "rollout deadline",
        life.progress_deadline_seconds,
        duration(life.progress_deadline_seconds),
        "cold start with node and image, upper end and its margin",
    )
    yield Row(
        section,
        "drain",
        life.shutdown_timeout_seconds,
        duration(life.shutdown_timeout_seconds),
        "longest request",
    )
    yield Row(
        section,
        "grace period",
        life.termination_grace_seconds,
        duration(life.termination_grace_seconds),
        f"{life.pre_stop_seconds} s for endpoints, the drain, the teardown",
    )


def _cost(selection: Selection, region: str, provisioning: Provisioning, today: date) -> Iterator[Row]:
    try:
        price = prices.cost(selection.candidate.accelerator, region, provisioning, today)
    except ValueError as reason:
        yield Row("cost", "price", None, str(reason))
        return
    basis = f"{price.price.source}, {price.price.read}"
    where = f"one slice, {provisioning}, {region}"
    yield Row("cost", "an hour", price.dollars_per_hour, f"${price.dollars_per_hour:,.2f}, {where}", basis)
    yield Row("cost", "a month", price.dollars_per_month, f"${price.dollars_per_month:,.0f}", "730 hours")
    if price.warning:
        yield Row("cost", "age", (today - price.price.read).days, price.warning)
    if price.conflict:
        others = [each.dollars_per_chip_hour for each in price.others]
        yield Row("cost", "conflict", others, price.conflict)


def document(selection: Selection, region: str, provisioning: Provisioning, today: date) -> dict[str, object]:
    """Returns the JSON document: values by section and label, the command, the environment, the findings."""
    sections: dict[str, dict[str, object]] = {}
    for row in rows(selection, region, provisioning, today):
        sections.setdefault(row.section, {})[row.label] = {"value": row.value, "basis": row.basis}
    return {
        "name": selection.name,
        **sections,
        "argv": list(command(selection)),
        "environment": selection.candidate.engine.environment(),
        "findings": [{**vars(finding), "sentence": str(finding)} for finding in selection.findings],
    }


def title(selection: Selection) -> str:
    """Returns the title line of the table."""
    return f"{selection.name}: {selection.candidate.model.name} on {selection.candidate.accelerator.name}"


def command(selection: Selection) -> tuple[str, ...]:
    """Returns the engine's command line, without the options that the workload adds."""
    name = selection.candidate.model.name
    return selection.candidate.engine.argv(f"{container_layout.MODELS}/{name}", name, container_layout.PORT)
