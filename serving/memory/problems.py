"""Reasons why an engine does not fit a slice, and the change that makes it fit."""

import bisect
import math
from dataclasses import replace

from serving.compilation.candidate import Candidate
from serving.engine.config import EngineConfig
from serving.hardware.accelerators import Accelerator
from serving.hardware.host_resources import needs
from serving.memory.terms import Memory, terms
from serving.messages.finding import Finding
from serving.messages.units import gib
from serving.models.spec import ModelSpec


def first_problem(memory: Memory, candidate: Candidate) -> Finding | None:
    """Returns the first problem of these terms, in the order in which a boot would meet them."""
    accelerator, model, engine = candidate.accelerator, candidate.model, candidate.engine
    asked = f"engine.gpu_memory_utilization is {engine.gpu_memory_utilization:g}"
    if memory.chips > accelerator.chips:
        return _error(
            "too-few-chips",
            "tensor_parallel_size",
            f"engine.tensor_parallel_size is {memory.chips}",
            f"{accelerator.name} has {accelerator.chips} chips",
            f"set it to {accelerator.chips}, or take a larger slice",
        )
    if memory.resident_bytes >= memory.cap_bytes:
        return _error(
            "weights-do-not-fit",
            "gpu_memory_utilization",
            asked,
            f"the weights of {model.name} take {gib(memory.resident_bytes)} of each chip, and that share of "
            f"its HBM is {gib(memory.cap_bytes)}",
            _room_for_weights(memory, engine),
        )
    if engine.num_gpu_blocks_override and memory.resident_bytes + memory.kv_bytes > memory.cap_bytes:
        room = (memory.cap_bytes - memory.resident_bytes) * memory.chips // memory.pool.page_bytes
        return _error(
            "pages-beyond-memory",
            "num_gpu_blocks_override",
            _asked_pages(engine.num_gpu_blocks_override),
            f"gpu_memory_utilization leaves room for {room:,} pages",
            f"set it to {room:,} or less",
        )
    if not memory.pool.serves_one:
        longest = max(0, memory.pool.pages - 1) * memory.pool.block_size
        return _error(
            "kv-cache-too-small",
            "max_model_len",
            f"engine.max_model_len is {engine.max_model_len:,}",
            f"the KV cache holds {memory.pool.pages:,} pages of {memory.pool.block_size}, one of them kept "
            f"back, and a request of that length needs {memory.pool.pages_per_request:,}",
            f"set it to {longest:,} or less, or give the cache more room",
        )
    if memory.left_bytes < 0:
        return _programs_problem(memory, candidate, asked)
    return None


def _error(code: str, field: str, asked: str, truth: str, change: str) -> Finding:
    return Finding("error", code, f"engine.{field}", asked, truth, change)


def _room_for_weights(memory: Memory, engine: EngineConfig) -> str:
    needed = math.ceil(100 * memory.resident_bytes / memory.hbm_bytes) / 100
    if needed < 1:
        return f"set it above {max(needed, engine.gpu_memory_utilization):g}, or take a larger slice"
    return "take a larger slice or a smaller model"


def _programs_problem(memory: Memory, candidate: Candidate, asked: str) -> Finding:
    pages = candidate.engine.num_gpu_blocks_override
    buffer = max(memory.temporaries, key=lambda temporary: temporary.bytes)
    missing = -memory.left_bytes
    field = "gpu_memory_utilization"
    if pages is not None:
        # The override fixes the page count, so lowering gpu_memory_utilization would free no memory.
        field = "num_gpu_blocks_override"
        asked = _asked_pages(pages)
        change = _fewer_pages(memory, missing)
    else:
        change = _smaller_share(candidate)
    if buffer.grows_with:
        change += f", or lower {buffer.grows_with}"
    return _error(
        "programs-do-not-fit",
        field,
        asked,
        f"weights and KV cache leave {gib(memory.free_bytes)} of each chip, and {buffer.name} "
        f"({gib(buffer.bytes)}) with {gib(memory.code_bytes)} of programs need {gib(missing)} more",
        change,
    )


def _fewer_pages(memory: Memory, missing: int) -> str:
    fewer = replace(
        memory.pool, pages=memory.pool.pages - math.ceil(missing * memory.chips / memory.pool.page_bytes)
    )
    return f"set it to {fewer.pages:,} or less" if fewer.serves_one else "take a larger slice"


def _smaller_share(candidate: Candidate) -> str:
    def at(percent: int) -> Memory:
        return terms(candidate.with_fields(gpu_memory_utilization=percent / 100))

    percents = range(math.ceil(100 * candidate.engine.gpu_memory_utilization) - 1, 0, -1)
    # A smaller share has fewer pages: it leaves at least as much to programs, and serves no longer request.
    first = bisect.bisect_left(percents, True, key=lambda percent: at(percent).left_bytes >= 0)
    if first < len(percents) and at(percents[first]).pool.serves_one:
        return f"set it to {percents[first] / 100:g} or less"
    return "take a larger slice"


def _asked_pages(pages: int) -> str:
    return f"engine.num_gpu_blocks_override is {pages:,}"


def host_problem(accelerator: Accelerator, model: ModelSpec, *, file_cache: bool) -> Finding | None:
    """Returns why the host's memory is too small, or None. None also if no public source states its size."""
    available = accelerator.host_memory_bytes
    host = needs(model.weight_bytes)
    needed = host.server_bytes + (host.file_cache_bytes if file_cache else 0)
    if available is None or needed <= available:
        return None
    return Finding(
        "error",
        "host-memory-too-small",
        "model",
        f"{model.name} is served on {accelerator.name}",
        f"loading its {model.weight_bytes / 1e9:.1f} GB of weights takes {needed / 1e9:.0f} GB of host "
        f"memory, and the machine has {available / 1e9:.0f} GB",
        "take a larger slice or a smaller model"
        + (", or read without a cache in memory" if file_cache else ""),
    )
