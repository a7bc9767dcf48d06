"""The terms of one chip's HBM, computed from an engine or taken from its proof.

The server fills `gpu_memory_utilization` of HBM with weights and KV cache and profiles nothing; programs and
their buffers must fit into the rest (tpu_inference/worker/tpu_worker.py, `determine_available_memory`). Each
chip has to fit separately: free HBM of another chip does not help. All sizes are bytes on one chip, unless
the name says otherwise.
"""

from dataclasses import dataclass

from serving.compilation.candidate import Candidate
from serving.memory import program_buffers
from serving.memory.kv_cache import Pool, pool
from serving.memory.program_buffers import Temporary
from serving.memory.weights import Group, groups
from serving.messages.finding import Finding


@dataclass(frozen=True)
class Memory:
    """Terms of one chip's HBM, and the pool of KV pages that they allow.

    `cap_bytes` is the share that weights and KV cache may fill. `basis` says where the program sizes come
    from: compiled for this graph, or scaled from another's.
    """

    hbm_bytes: int
    cap_bytes: int
    weights: tuple[Group, ...]
    pool: Pool
    chips: int
    code_bytes: int
    temporaries: tuple[Temporary, ...]
    """In the order in which they are first live."""
    basis: str
    modeled: bool = True
    """False for code whose programs and buffers are not modeled; then nothing says whether it fits."""
    problem: Finding | None = None

    @property
    def resident_bytes(self) -> int:
        """Bytes of all weights."""
        return sum(group.bytes for group in self.weights)

    @property
    def kv_bytes(self) -> int:
        """Bytes of the whole KV cache."""
        return self.pool.pages * self.pool.page_bytes // self.chips

    @property
    def pool_basis(self) -> str:
        """Label of the KV cache's size: exact, unless the weights beside it are not."""
        bases = {group.basis for group in self.weights}
        return next((basis for basis in bases if basis == "scaled" or basis.startswith("measured")), "exact")

    @property
    def kv_token_bytes(self) -> int:
        """Bytes of one token in the KV cache."""
        return self.pool.page_bytes // self.pool.block_size // self.chips

    @property
    def free_bytes(self) -> int:
        """HBM beside weights and KV cache, before code and buffers of programs."""
        return self.hbm_bytes - self.resident_bytes - self.kv_bytes

    @property
    def largest(self) -> Temporary | None:
        """The largest buffer that is ever live beside the KV cache; None if there is none."""
        return max(self.temporaries, key=lambda temporary: temporary.bytes, default=None)

    @property
    def largest_bytes(self) -> int:
        """Bytes of the largest buffer."""
        return self.largest.bytes if self.largest else 0

    @property
    def left_bytes(self) -> int:
        """HBM left after all code and the largest buffer; negative if they do not fit."""
        return self.free_bytes - self.code_bytes - self.largest_bytes

    @property
    def fits(self) -> bool | None:
        """True if the server boots and every known program fits; None if that is not modeled."""
        return self.problem is None if self.modeled else None


def terms(candidate: Candidate) -> Memory:
    """Returns the terms of this engine on this slice, not judged. Raises ValueError as `budget` does."""
    accelerator, model, engine = candidate.accelerator, candidate.model, candidate.engine
    runtime, proof = candidate.runtime, candidate.proof
    buffers: tuple[Temporary, ...]
    chips = engine.tensor_parallel_size
    hbm = accelerator.hbm_bytes_per_chip
    weights = groups(model, engine)
    if proof:
        weights = tuple(Group(name, size, 0, proof.source) for name, size in proof.weights.items())
    resident = sum(group.bytes for group in weights)
    # One product over all chips and one truncation, as the server does it.
    room = int(chips * hbm * engine.gpu_memory_utilization - chips * resident)
    modeled = runtime.code_path != "torchax"
    if not modeled:
        code, buffers, basis = 0, (), "not modeled"
    elif proof:
        code, basis = proof.code_bytes, proof.source
        buffers = program_buffers.compiled(proof)
    elif accelerator.is_stand_in:
        # Its HBM is only a number in the server's configuration; programs run in the host's memory.
        code, buffers, basis = 0, (), "exact"
    else:
        code, basis = program_buffers.code_bytes(model, runtime, accelerator.generation), "scaled"
        buffers = program_buffers.temporaries(model, engine, runtime, accelerator.generation)
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
        modeled=modeled,
    )
