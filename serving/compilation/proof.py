"""Data of a proof: the compiler's sizes and seconds for every program of one graph."""

from pydantic import BaseModel, ConfigDict, Field

_FROZEN = ConfigDict(frozen=True, extra="forbid", strict=True)


class Program(BaseModel):
    """One program on one chip, in bytes and seconds.

    A program that the boot had compiled before under another name has no code and took no time.
    """

    model_config = _FROZEN

    kind: str
    """Name in the server's log."""
    shape: str
    code_bytes: int = Field(ge=0)
    peak_bytes: int = Field(ge=0)
    """Bytes that it holds beyond its arguments."""
    argument_bytes: int = Field(ge=0)
    """Bytes of its arguments, without weights and KV cache."""
    flops: int = Field(ge=0)
    """The compiler's count of one run's arithmetic."""
    hbm_bytes: int = Field(ge=0)
    """The compiler's count of one run's HBM traffic."""
    lower_seconds: float = Field(ge=0)
    compile_seconds: float = Field(ge=0)

    @property
    def needed_bytes(self) -> int:
        """HBM that must be free beside weights, KV cache and code while only this program runs."""
        return self.argument_bytes + self.peak_bytes


class Calls(BaseModel):
    """One batch of the boot's warm-up calls. Each chip holds the arguments of all until the last has run."""

    model_config = _FROZEN

    kind: str
    """The kind of program for which most of the bytes are held."""
    calls: int = Field(gt=0)
    held_bytes: int = Field(ge=0)
    peak_bytes: int = Field(ge=0)
    """The most bytes that one call holds beyond its arguments."""

    @property
    def needed_bytes(self) -> int:
        """HBM that must be free beside weights, KV cache and code while the batch runs."""
        return self.held_bytes + self.peak_bytes


class Proof(BaseModel):
    """All programs of one graph, compiled with `versions` on the day `compiled`; bytes on one chip.

    `name` is the engine's name. `pages` are the pages of the KV cache that the engine planned. `refused` has
    the compiler's reason for each program that does not lower or does not fit.
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
    def source(self) -> str:
        """Source of the numbers, for people."""
        return f"compiled {self.compiled}, vllm-tpu {self.versions.get('vllm-tpu', 'unknown')}"
