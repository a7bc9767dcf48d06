"""Repair of constrained answers on TPU, so that each request gets its own grammar: an entry point for vLLM.

vLLM 0.32 sends the runner one row of allowed tokens for each constrained request, in the order of
`GrammarOutput.structured_output_request_ids` (vllm/v1/core/sched/output.py). tpu-inference 0.32 sorts the ids
and not the rows (tpu_inference/runner/structured_decoding_manager.py). So two requests that are computed
together may get each other's rows, and vLLM ends both with HTTP 500. Here the scheduler sends ids and rows in
sorted order. Rows of speculative tokens, several for one request, stay as they are: the guard refuses
constrained requests of an engine that drafts (agent/server/request_rules.py).
"""

# pyright: basic
# vLLM is not installed where the types are checked.

import dataclasses
from typing import Any


def in_sorted_order(output: Any) -> Any:
    """Return a GrammarOutput whose ids, rows and draft counts are sorted by id."""
    if output is None or len(output.structured_output_request_ids) != len(output.grammar_bitmask):
        return output
    ids = output.structured_output_request_ids
    order = sorted(range(len(ids)), key=ids.__getitem__)
    drafts = output.num_acceptable_drafts
    return dataclasses.replace(
        output,
        structured_output_request_ids=[ids[row] for row in order],
        grammar_bitmask=output.grammar_bitmask[order],
        num_acceptable_drafts=drafts and [drafts[row] for row in order],
    )


def register() -> None:
    """Be the entry point; vLLM calls it in each of its processes, several times in some."""
    from vllm.v1.core.sched.scheduler import Scheduler  # pyright: ignore[reportMissingImports]

    original = Scheduler.get_grammar_bitmask
    if getattr(original, "sorts_rows", False):
        return

    def get_grammar_bitmask(self: Any, scheduler_output: Any) -> Any:
        return in_sorted_order(original(self, scheduler_output))

    get_grammar_bitmask.sorts_rows = True  # pyright: ignore[reportFunctionMemberAccess]
    Scheduler.get_grammar_bitmask = get_grammar_bitmask
