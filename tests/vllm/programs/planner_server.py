"""The planner with vLLM's scheduler, and the attention kernel's own block sizes. Runs in the server's Python.

Prints one JSON object with what tests/vllm/test_planner.py checks.
"""

import json

from config.traffic.load import parse
from planner import attention_kernel, constants, fit_report
from planner.answer import result
from planner.clock import simulate_engine
from planner.fit import FREE, fit
from planner.measured_cells import E2B, E2B_AGAIN, MOE_26B
from planner.step_time import timer
from planner.step_work import shape
from planner.vllm_scheduler import VllmScheduler  # before JAX: it sets the environment at its first use

STEP_ONLY = ("step_seconds",)


def answer(text, pages, **fields):
    """The answer to a load of an engine with this many pages, and the tokens of each of its steps."""
    candidate = E2B.candidate.with_fields(**fields)
    load, fitted = parse(text), constants.fitted(E2B.model)
    seconds = timer(shape(candidate), candidate.accelerator, fitted.constants)
    trace = simulate_engine(candidate, load, VllmScheduler(candidate, pages), seconds)
    return result(load, trace, fitted) | {"step_tokens": [step.tokens for step in trace.steps]}


def again(engine, start, free):
    """The constants, fitted again, and the errors of the committed ones."""
    slice_ = engine.candidate.accelerator
    records = fit_report.settled_records(engine, start, free)
    committed = constants.fitted(engine.model).constants
    return {
        "fitted": vars(fit(records, slice_, start, free)),
        "committed": vars(committed),
        "errors": {each.cell.name: each.errors(slice_, committed) for each in records},
    }


def errors(engine):
    """The errors of the committed constants."""
    slice_, committed = engine.candidate.accelerator, constants.fitted(engine.model).constants
    records = fit_report.published_records(engine, committed)
    return {"errors": {each.cell.name: each.errors(slice_, committed) for each in records}}


def blocks():
    """The kernel's blocks beside the planner's: (decode, prefill rows, prefill keys read and computed)."""
    from tpu_inference.kernels.ragged_paged_attention.v3 import kernel

    kernel.get_tpu_version = lambda: 6
    found = []
    for engine in (E2B, MOE_26B):
        candidate = engine.candidate
        shape_ = shape(candidate)
        for layer in shape_.layers:
            common = (
                "bfloat16",
                "bfloat16",
                layer.query_heads,
                layer.kv_heads,
                layer.head_dim,
                shape_.page,
                4096,
                candidate.engine.max_num_seqs,
                -(-shape_.longest // shape_.page),
            )
            decode = kernel.get_default_block_sizes(*common, case=kernel.RpaCase.DECODE)
            mixed = kernel.get_default_block_sizes(*common, case=kernel.RpaCase.MIXED)
            ours = attention_kernel.blocks(layer, shape_.longest, shape_.page)
            theirs = (decode["bkv_csz"], mixed["bq_sz"], mixed["bkv_sz"], mixed["bkv_csz"])
            found.append([ours, theirs])
    return found


plain = "concurrency=8 prompt=1000 answer=100 requests=16"
print(
    json.dumps(
        {
            "chunked": answer("concurrency=1 prompt=10000 answer=2 requests=1", 1000),
            "plain": answer(plain, 1000),
            "prefix": answer(f"{plain} prefix=0.9", 1000),
            "no prefix cache": answer(f"{plain} prefix=0.9", 1000, enable_prefix_caching=False),
            "few pages": answer(plain, 100),
            "few slots": answer(plain, 1000, max_num_seqs=4),
            "e2b": again(E2B, constants.START, FREE),
            "e2b again": errors(E2B_AGAIN),
            "26b": again(MOE_26B, constants.fitted(E2B.model).constants, STEP_ONLY),
            "blocks": blocks(),
        }
    )
)
