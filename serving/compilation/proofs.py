"""What the compiler itself said about a configuration: proofs/<graph digest>.json, typed.

proof/ compiles the real programs for the slice without a TPU and writes such a file. Where one exists for
the very graph of a plan, its sizes replace the scaled ones of serving/memory/program_buffers.py, and its
seconds those of serving/startup/cold_start.py.
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from serving.compilation.fingerprint import Fingerprint, fingerprint
from serving.engine.config import EngineConfig
from serving.hardware.accelerators import Accelerator
from serving.models.spec import ModelSpec

FOLDER = Path(__file__).resolve().parents[2] / "proofs"

_FROZEN = ConfigDict(frozen=True, extra="forbid", strict=True)


class Program(BaseModel):
    """One program on one chip, in bytes and seconds. `kind` is the name in the server's log.

    `argument_bytes` are its arguments besides weights and KV cache, `peak_bytes` what it holds beyond all
    arguments. `flops` and `hbm_bytes` are the compiler's count of one run's work. What the boot had compiled
    before under another name has no code and took no time.
    """

    model_config = _FROZEN

    kind: str
    shape: str
    code_bytes: int = Field(ge=0)
    peak_bytes: int = Field(ge=0)
    argument_bytes: int = Field(ge=0)
    flops: int = Field(ge=0)
    hbm_bytes: int = Field(ge=0)
    lower_seconds: float = Field(ge=0)
    compile_seconds: float = Field(ge=0)

    @property
    def needed_bytes(self) -> int:
        """What must be free beside weights, KV cache and code when it runs alone."""
        return self.argument_bytes + self.peak_bytes


class Calls(BaseModel):
    """One batch of the boot's warm-up calls: the arguments of all are held on each chip until the last one
    has run. `kind` is what most of the bytes are for, `peak_bytes` the most that one call holds beyond."""

    model_config = _FROZEN

    kind: str
    calls: int = Field(gt=0)
    held_bytes: int = Field(ge=0)
    peak_bytes: int = Field(ge=0)

    @property
    def needed_bytes(self) -> int:
        """What must be free beside weights, KV cache and code while the batch runs."""
        return self.held_bytes + self.peak_bytes


class Proof(BaseModel):
    """All programs of one graph as compiled with `versions` on the day `compiled`; bytes on one chip.

    `name` is what was asked for; `pages` are the KV cache's, as the engine planned them. `refused` has the
    compiler's own reason for each program that does not lower or does not fit.
    """

    model_config = _FROZEN

    name: str
    graph: str
    compiled: str = Field(pattern=r"^\d{4}-\d\d-\d\d$")
    versions: dict[str, str]
    weights: dict[str, int]
    pages: int = Field(gt=0)
    kv_bytes: int = Field(gt=0)
    calls: tuple[Calls, ...] = Field(strict=False)
    programs: tuple[Program, ...] = Field(strict=False)
    refused: tuple[str, ...] = Field(strict=False)

    @property
    def resident_bytes(self) -> int:
        """All weights."""
        return sum(self.weights.values())

    @property
    def code_bytes(self) -> int:
        """Code of all programs together, which stays loaded."""
        return sum(program.code_bytes for program in self.programs)

    @property
    def largest(self) -> Program | Calls:
        """What needs most beside weights, KV cache and code: a program, or a batch of the boot's calls."""
        return max((*self.programs, *self.calls), key=lambda each: each.needed_bytes)

    @property
    def source(self) -> str:
        """Where its numbers come from, for people."""
        return f"compiled {self.compiled}, vllm-tpu {self.versions.get('vllm-tpu', 'unknown')}"


def load(fingerprint: Fingerprint, folder: Path = FOLDER) -> Proof | None:
    """The proof of this graph, or None when nobody has compiled it.

    Raises ValueError when the file is there but cannot be what it says.
    """
    file = folder / f"{fingerprint.graph_digest}.json"
    if not file.is_file():
        return None
    try:
        proof = Proof.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise ValueError(
            f"The proof {file.name} does not read as one ({error.error_count()} fields are wrong): delete "
            "it, or write it anew with `make prove`."
        ) from None
    if proof.graph != fingerprint.graph_digest or not proof.programs:
        raise ValueError(
            f"The proof {file.name} says that it is of graph {proof.graph}, with {len(proof.programs)} "
            "programs: delete it, or write it anew with `make prove`."
        )
    return proof


def of(accelerator: Accelerator, model: ModelSpec, engine: EngineConfig) -> Proof | None:
    """The committed proof of this engine on this slice, if there is one. Raises ValueError as `load` does."""
    return load(fingerprint(image="", model=model, accelerator=accelerator, engine=engine))
