"""The committed proofs: proof/results/<graph digest>.json.

proof/ compiles the real programs for the slice without a TPU and writes such a file. If there is a file for
the graph of a plan, its sizes replace the scaled sizes of serving/memory/program_buffers.py. Its seconds are
those of the machine that compiled it, and no plan uses them.
"""

from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from serving.compilation.candidate import Candidate
from serving.compilation.fingerprint import Fingerprint, fingerprint
from serving.compilation.proof import Proof

FOLDER = Path(__file__).resolve().parents[2] / "proof" / "results"


def load(fingerprint: Fingerprint, folder: Path = FOLDER) -> Proof | None:
    """Returns the proof of this graph, or None when nobody has compiled it.

    Raises ValueError when the file exists and is no proof of this graph.
    """
    file = folder / f"{fingerprint.graph_digest}.json"
    if not file.is_file():
        return None
    try:
        proof = Proof.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise ValueError(
            f"The file {file.name} is not a valid proof ({error.error_count()} fields are wrong): delete it, "
            "or write it again with `make prove`."
        ) from None
    if proof.graph != fingerprint.graph_digest or not proof.programs:
        raise ValueError(
            f"The proof {file.name} is of graph {proof.graph} and has {len(proof.programs)} programs: delete "
            "it, or write it again with `make prove`."
        )
    return proof


def with_proof(candidate: Candidate) -> Candidate:
    """Returns the candidate with its committed proof, if there is one. Raises ValueError as `load` does."""
    return replace(candidate, proof=load(fingerprint(candidate, image="")))
