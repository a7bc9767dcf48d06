"""Proofs made by hand, for tests of what reads them."""

from serving.compilation.proof import Program, Proof
from serving.messages.units import GIB


def program(kind: str, *, code_bytes: int = 0, argument_bytes: int = 0, peak_bytes: int = 0) -> Program:
    """A program of these sizes that took 7 seconds to lower and 16 to compile."""
    return Program(
        kind=kind,
        shape="num_tokens=16",
        code_bytes=code_bytes,
        argument_bytes=argument_bytes,
        peak_bytes=peak_bytes,
        flops=918 * 10**9,
        hbm_bytes=0,
        lower_seconds=7,
        compile_seconds=16,
    )


def proved(*programs: Program, graph: str = "0" * 16) -> Proof:
    """A proof of 15 GiB of weights with these programs, at a share of HBM of 0.9."""
    return Proof(
        name="tuned",
        graph=graph,
        compiled="2026-11-27",
        versions={"vllm-tpu": "0.32.0"},
        weights={"experts": 14 * GIB, "attention": GIB},
        pages=7000,
        kv_bytes=12 * GIB,
        calls=(),
        programs=programs,
        refused=(),
    )
