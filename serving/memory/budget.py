"""Budget of an engine on a slice: the terms of a chip's HBM, and a sentence if they do not fit."""

from dataclasses import replace

from serving.compilation.candidate import Candidate
from serving.compilation.resolved_config import image_tokens
from serving.engine.config import EngineConfig
from serving.memory.problems import first_problem
from serving.memory.terms import Memory, terms
from serving.models.spec import ModelSpec

IMAGE_MARKS = 2
"""Tokens that begin and end an image in a prompt (vllm/model_executor/models/gemma4_mm.py,
`get_image_repl`)."""


def budget(candidate: Candidate) -> Memory:
    """Returns the budget of this engine on this slice.

    Raises ValueError when the model's shapes do not divide by the chips, or when a width that is needed
    has no public source.
    """
    memory = terms(candidate)
    return replace(memory, problem=first_problem(memory, candidate))


def min_batched_tokens(model: ModelSpec, engine: EngineConfig) -> int:
    """Returns the smallest max_num_batched_tokens with which the server boots and processes every item.

    With chunked multimodal input disabled the largest item that a request may carry must fit one step. Below
    the item's own tokens the server does not boot (vllm/v1/core/encoder_cache_manager.py). Without room for
    the two marks around an image it boots, and never schedules the image (vllm/v1/core/sched/scheduler.py,
    `_try_schedule_encoder_inputs`, where `mm_position.length` counts the marks). Without images any size
    will do.
    """
    limits = engine.limit_mm_per_prompt
    if not model.takes_images or not engine.disable_chunked_mm_input:
        return 1
    if limits is None or limits.video:
        return model.max_tokens_per_multimodal_item
    return image_tokens(model, engine) + IMAGE_MARKS if limits.image else 1
