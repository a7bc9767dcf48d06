"""Whether an engine fits a slice: every term of a chip's HBM, named, and one sentence when it does not.

The server fills `gpu_memory_utilization` of HBM with weights and KV cache and profiles nothing; programs and
their buffers must find room in the rest (tpu_inference/worker/tpu_worker.py, `determine_available_memory`).
Each chip is on its own: what is free on another does not help. All sizes are bytes, on one chip unless said
otherwise.
"""

import bisect
import math
from dataclasses import dataclass, replace

from serving import temporaries
from serving.accelerators import GIB, Accelerator
from serving.engine import EngineConfig
from serving.kvcache import Pool, pool
from serving.models import ModelSpec
from serving.proofs import Proof
from serving.runtime import Runtime, resolve
from serving.temporaries import Temporary
from serving.weights import Group, groups


@dataclass(frozen=True)
class Problem:
    """Why a server would not boot or not serve: what was asked, what is true, what to change.

    `field` is the engine's field that the advice is about.
    """

    code: str
    field: str
    asked: str
    truth: str
    change: str

    def __str__(self) -> str:
        return f"{self.asked}: {self.truth}; {self.change}."


@dataclass(frozen=True)
class Memory:
    """The terms of one chip's HBM, and what they mean for requests.

    `cap_bytes` is the share that weights and KV cache may fill. `free_bytes` is left beside them, before
    code and buffers; `left_bytes` is left after all code and the largest buffer, and negative when that
    does not fit. `basis` is where the program sizes come from: compiled for this graph, or computed from
    another's.
    """

    hbm_bytes: int
    cap_bytes: int
    weights: tuple[Group, ...]
    pool: Pool
    chips: int
    code_bytes: int
    temporaries: tuple[Temporary, ...]
    basis: str
    problem: Problem | None = None

    @property
    def resident_bytes(self) -> int:
        """All weights."""
        return sum(group.bytes for group in self.weights)

    @property
    def kv_bytes(self) -> int:
        """The whole KV cache."""
        return self.pool.pages * self.pool.page_bytes // self.chips

    @property
    def kv_token_bytes(self) -> int:
        """One token in the KV cache."""
        return self.pool.page_bytes // self.pool.block_size // self.chips

    @property
    def free_bytes(self) -> int:
        """HBM beside weights and KV cache."""
        return self.hbm_bytes - self.resident_bytes - self.kv_bytes

    @property
    def largest_bytes(self) -> int:
        """The largest buffer of any program."""
        return max((temporary.bytes for temporary in self.temporaries), default=0)

    @property
    def left_bytes(self) -> int:
        """HBM that nothing known needs."""
        return self.free_bytes - self.code_bytes - self.largest_bytes

    @property
    def fits(self) -> bool:
        """Whether the server boots and every program that is known finds its room."""
        return self.problem is None


def budget(
    accelerator: Accelerator, model: ModelSpec, engine: EngineConfig, proof: Proof | None = None
) -> Memory:
    """The budget of this engine on this slice.

    Raises ValueError when the model's shapes do not divide by the chips, or when a width that is needed
    has no public source.
    """
    runtime = resolve(model, engine)
    terms = _terms(accelerator, model, engine, runtime, proof)
    return _judged(terms, accelerator, model, engine, runtime, proof)


def min_batched_tokens(model: ModelSpec, engine: EngineConfig) -> int:
    """Smallest max_num_batched_tokens with which the server boots, in tokens.

    With chunked multimodal input disabled the largest item that a request may carry must fit one step
    (vllm/v1/core/encoder_cache_manager.py); without images any size boots.
    """
    limits = engine.limit_mm_per_prompt
    if not model.takes_images or not engine.disable_chunked_mm_input:
        return 1
    if limits is None or limits.video:
        return model.max_tokens_per_multimodal_item
    return model.tokens_per_image if limits.image else 1


def _terms(
    accelerator: Accelerator, model: ModelSpec, engine: EngineConfig, runtime: Runtime, proof: Proof | None
) -> Memory:
    chips = engine.tensor_parallel_size
    hbm = accelerator.hbm_bytes_per_chip
    weights = groups(model, engine)
    if proof:
        weights = tuple(Group(name, size, 0, proof.source) for name, size in proof.weights.items())
    resident = sum(group.bytes for group in weights)
    # One product over all chips and one truncation, as the server does it.
    room = int(chips * hbm * engine.gpu_memory_utilization - chips * resident)
    if proof:
        code, basis = proof.code_bytes, proof.source
        buffers: tuple[Temporary, ...] = (temporaries.compiled(proof),)
    elif accelerator.is_stand_in:
        # Its HBM is a number that the server is told; programs run in the host's memory.
        code, buffers, basis = 0, (), "computed"
    else:
        code, basis = temporaries.code_bytes(model, runtime), "computed"
        buffers = temporaries.temporaries(model, engine, runtime)
    return Memory(
        hbm_bytes=hbm,
        cap_bytes=int(hbm * engine.gpu_memory_utilization),
        weights=weights,
        pool=pool(
            model,
            bits=runtime.kv_bits,
            chips=chips,
            block_size=runtime.block_size,
            max_model_len=engine.max_model_len,
            room=room,
            override=engine.num_gpu_blocks_override,
        ),
        chips=chips,
        code_bytes=code,
        temporaries=buffers,
        basis=basis,
    )


def _judged(
    terms: Memory,
    accelerator: Accelerator,
    model: ModelSpec,
    engine: EngineConfig,
    runtime: Runtime,
    proof: Proof | None,
) -> Memory:
    """The terms with the first problem that they have, in the order in which a boot would meet them."""
    asked = f"engine.gpu_memory_utilization is {engine.gpu_memory_utilization:g}"
    problem = None
    if terms.chips > accelerator.chips:
        problem = Problem(
            "too-few-chips",
            "tensor_parallel_size",
            f"engine.tensor_parallel_size is {terms.chips}",
            f"{accelerator.name} has {accelerator.chips} chips",
            f"set it to {accelerator.chips}, or take a larger slice",
        )
    elif terms.resident_bytes >= terms.cap_bytes:
        problem = Problem(
            "weights-do-not-fit",
            "gpu_memory_utilization",
            asked,
            f"the weights of {model.name} take {_gib(terms.resident_bytes)} of each chip, and that share of "
            f"its HBM is {_gib(terms.cap_bytes)}",
            _room_for_weights(terms, engine),
        )
    elif engine.num_gpu_blocks_override and terms.resident_bytes + terms.kv_bytes > terms.cap_bytes:
        room = (terms.cap_bytes - terms.resident_bytes) * terms.chips // terms.pool.page_bytes
        problem = Problem(
            "pages-beyond-memory",
            "num_gpu_blocks_override",
            _asked_pages(engine.num_gpu_blocks_override),
            f"gpu_memory_utilization leaves room for {room:,} pages",
            f"set it to {room:,} or less",
        )
    elif not terms.pool.serves_one:
        longest = max(0, terms.pool.pages - 1) * terms.pool.block_size
        problem = Problem(
            "kv-cache-too-small",
            "max_model_len",
            f"engine.max_model_len is {engine.max_model_len:,}",
            f"the KV cache holds {terms.pool.pages:,} pages of {terms.pool.block_size}, one of them kept "
            f"back, and a request of that length needs {terms.pool.pages_per_request:,}",
            f"set it to {longest:,} or less, or give the cache more room",
        )
    elif terms.left_bytes < 0:
        problem = _programs_problem(terms, accelerator, model, engine, runtime, proof, asked)
    return replace(terms, problem=problem)


def _room_for_weights(terms: Memory, engine: EngineConfig) -> str:
    needed = math.ceil(100 * terms.resident_bytes / terms.hbm_bytes) / 100
    if needed < 1:
        return f"set it above {max(needed, engine.gpu_memory_utilization):g}, or take a larger slice"
    return "take a larger slice or a smaller model"


def _programs_problem(
    terms: Memory,
    accelerator: Accelerator,
    model: ModelSpec,
    engine: EngineConfig,
    runtime: Runtime,
    proof: Proof | None,
    asked: str,
) -> Problem:
    buffer = max(terms.temporaries, key=lambda temporary: temporary.bytes)
    missing = -terms.left_bytes
    field = "gpu_memory_utilization"
    if engine.num_gpu_blocks_override is not None:
        # The pages are so many whatever the share: lowering that would free nothing.
        field = "num_gpu_blocks_override"
        asked = _asked_pages(engine.num_gpu_blocks_override)
        change = _fewer_pages(terms, missing)
    else:
        change = _smaller_share(accelerator, model, engine, runtime, proof)
    if buffer.grows_with:
        change += f", or lower {buffer.grows_with}"
    return Problem(
        "programs-do-not-fit",
        field,
        asked,
        f"weights and KV cache leave {_gib(terms.free_bytes)} of each chip, and {buffer.name} "
        f"({_gib(buffer.bytes)}) with {_gib(terms.code_bytes)} of programs need {_gib(missing)} more",
        change,
    )


def _fewer_pages(terms: Memory, missing: int) -> str:
    fewer = replace(
        terms.pool, pages=terms.pool.pages - math.ceil(missing * terms.chips / terms.pool.page_bytes)
    )
    return f"set it to {fewer.pages:,} or less" if fewer.serves_one else "take a larger slice"


def _smaller_share(
    accelerator: Accelerator, model: ModelSpec, engine: EngineConfig, runtime: Runtime, proof: Proof | None
) -> str:
    def at(percent: int) -> Memory:
        smaller = engine.model_copy(update={"gpu_memory_utilization": percent / 100})
        return _terms(accelerator, model, smaller, runtime, proof)

    percents = range(math.ceil(100 * engine.gpu_memory_utilization) - 1, 0, -1)
    # A smaller share has fewer pages, so it leaves no less to the programs and serves no longer request.
    found = bisect.bisect_left(percents, True, key=lambda percent: at(percent).left_bytes >= 0)
    if found < len(percents) and at(percents[found]).pool.serves_one:
        return f"set it to {percents[found] / 100:g} or less"
    return "take a larger slice"


def _asked_pages(pages: int) -> str:
    return f"engine.num_gpu_blocks_override is {pages:,}"


def _gib(size: int) -> str:
    return f"{size / GIB:.2f} GiB"
