"""What the compiler itself said about a configuration: proofs/<graph digest>.json, typed.

proof/ compiles the real programs for the slice without a TPU and writes such a file. Where one exists for
the very graph of a plan, its sizes replace the scaled ones of serving/temporaries.py, and its seconds those
of serving/coldstart.py.
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from serving.fingerprint import Fingerprint

FOLDER = Path(__file__).resolve().parent.parent / "proofs"


class Program(BaseModel):
    """One compiled program on one chip. `kind` is the name in the server's log; `peak_bytes` is what it
    holds at most beyond its arguments."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    kind: str
    shape: str
    code_bytes: int = Field(ge=0)
    peak_bytes: int = Field(ge=0)
    lower_seconds: float = Field(ge=0)
    compile_seconds: float = Field(ge=0)


class Proof(BaseModel):
    """All programs of one graph, and the weights' bytes on one chip, as compiled with `versions`.

    `refused` is the compiler's own sentence where a program does not fit or does not lower.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    graph: str
    versions: dict[str, str]
    resident_bytes: int = Field(gt=0)
    programs: tuple[Program, ...] = Field(strict=False)
    refused: tuple[str, ...] = Field((), strict=False)

    @property
    def code_bytes(self) -> int:
        """Code of all programs together, which stays loaded."""
        return sum(program.code_bytes for program in self.programs)

    @property
    def largest(self) -> Program:
        """The program that holds most beyond its arguments."""
        return max(self.programs, key=lambda program: program.peak_bytes)


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
            "it, or write it anew with proof/."
        ) from None
    if proof.graph != fingerprint.graph_digest or not proof.programs:
        raise ValueError(
            f"The proof {file.name} says that it is of graph {proof.graph}, with {len(proof.programs)} "
            "programs: delete it, or write it anew with proof/."
        )
    return proof
