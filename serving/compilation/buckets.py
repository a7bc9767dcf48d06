"""How many XLA programs a boot compiles, and which shapes they have.

The server compiles one program for each padded shape that a step can have. This module repeats the
padding rules of tpu-inference 0.32.0 (`runner/utils.py`, `runner/tpu_runner.py::_init_inputs`) and the
loops of `runner/compilation_manager.py`; the oracle tests run the originals beside it.
A count is the number of `Precompile ...` lines that the server logs, by the name in the line.
"""

import bisect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

MIN_REQUESTS = 8
"""Smallest request bucket (`runner/utils.py: MIN_NUM_SEQS`)."""
MIN_TOKENS = 16
"""Smallest token bucket unless the environment variable MIN_TOKEN_BUCKET says otherwise."""
MAX_PROMPT_LOGPROBS_TOKENS = 1024
"""Larger token buckets get no prompt-logprobs program (`_precompile_gather_logprobs`)."""


def _ladder(smallest: int, largest: int, gap: int) -> list[int]:
    """`get_token_paddings`: doubling up to the first bucket >= `largest`, or, with a gap, doubling up to
    the gap and then stepping by it."""
    if gap == 0:
        doublings = (-(-largest // smallest) - 1).bit_length()
        return [smallest << step for step in range(doublings + 1)]
    buckets: list[int] = []
    size = smallest
    while size <= gap:
        buckets.append(size)
        size *= 2
    size //= 2
    while size < largest:
        size += gap
        buckets.append(size)
    return buckets


def token_buckets(
    budget: int, gap: int = 0, *, smallest: int = MIN_TOKENS, extra: Iterable[int] = ()
) -> tuple[int, ...]:
    """Sizes, in tokens, to which a step is padded (`build_token_paddings`).

    `budget` is max_num_batched_tokens; it is itself a bucket, and larger generated ones are dropped.
    `extra` is `additional_config.compilation_sizes`, kept as given even above the budget.
    """
    top = -(-budget // smallest) * smallest
    sizes = {size for size in _ladder(smallest, budget, gap) if size <= top} | {top}
    return tuple(sorted(sizes | set(extra)))


def smallest_bucket(min_token_bucket: int | None, kv_bits: int) -> int:
    """The first token bucket: MIN_TOKEN_BUCKET, but at least the cached values that share 32 bits."""
    return max(MIN_TOKENS if min_token_bucket is None else min_token_bucket, 32 // kv_bits)


def request_buckets(max_num_seqs: int) -> tuple[int, ...]:
    """Sizes, in requests, to which a batch is padded (`get_req_paddings` as the runner calls it)."""
    top = max(max_num_seqs, MIN_REQUESTS)
    doubling = [MIN_REQUESTS << step for step in range(top.bit_length())]
    return (*(size for size in doubling if size < top), top)


def attention_buckets(max_num_seqs: int, *, bucketized: bool = False) -> tuple[int, ...]:
    """Request sizes of the attention metadata (`get_attn_req_paddings`): the maximum alone, unless
    ATTN_BUCKETIZED_NUM_REQS=1."""
    if not bucketized:
        return (max_num_seqs,)
    if max_num_seqs < MIN_REQUESTS:
        return (max_num_seqs,)
    return request_buckets(max_num_seqs)


def logits_buckets(max_num_seqs: int, speculative_tokens: int) -> tuple[int, ...]:
    """Logit rows of a speculative step: doubling from 8 until they cover every request's drafts and its
    bonus token."""
    rows = max(max_num_seqs, MIN_REQUESTS) * (speculative_tokens + 1)
    return tuple(_ladder(MIN_REQUESTS, rows, 0))


def pairs(outer: Sequence[int], inner: Sequence[int]) -> int:
    """Combinations whose inner size is not larger than the outer: what `_should_skip_padding_combination`
    keeps."""
    return sum(bisect.bisect_right(inner, size) for size in outer)


@dataclass(frozen=True)
class Buckets:
    """The padded sizes of one server. `logits` is empty without speculative decoding."""

    tokens: tuple[int, ...]
    requests: tuple[int, ...]
    attention: tuple[int, ...]
    logits: tuple[int, ...] = ()

    def pad_tokens(self, tokens: int) -> int:
        """The token bucket of a step of `tokens`; ValueError above the largest."""
        index = bisect.bisect_left(self.tokens, tokens)
        if index == len(self.tokens):
            raise ValueError(
                f"A step of {tokens:,} tokens was asked for, but the largest token bucket is "
                f"{self.tokens[-1]:,}: raise max_num_batched_tokens or ask for smaller steps."
            )
        return self.tokens[index]


def padding_waste(steps: Mapping[int, float], buckets: Buckets) -> float:
    """Share of the computed tokens that is padding, 0 to 1, for steps of the given sizes.

    `steps` maps the tokens of a step to how often it happens (any unit).
    """
    used = sum(tokens * weight for tokens, weight in steps.items())
    paid = sum(buckets.pad_tokens(tokens) * weight for tokens, weight in steps.items())
    return 1 - used / paid if paid else 0.0


@dataclass(frozen=True)
class Programs:
    """Programs of one boot by the kind that the server's log names, in the order of compilation."""

    buckets: Buckets
    by_kind: Mapping[str, int]

    @property
    def total(self) -> int:
        """Number of `Precompile` lines of a boot."""
        return sum(self.by_kind.values())

    @property
    def backbones(self) -> int:
        """Programs that hold the whole model: nearly all of the compile time."""
        return self.by_kind["backbone"] + self.by_kind.get("backbone with embeds", 0)


def count(
    buckets: Buckets,
    *,
    multimodal: bool,
    async_scheduling: bool,
    speculative: Literal["ngram", "mtp"] | None = None,
    vision_programs: int = 0,
) -> Programs:
    """Programs that `CompilationManager.capture_model` compiles on one host without data parallelism.

    `speculative` is the method: ngram, or mtp for the Gemma 4 assistant. `vision_programs` is the
    number of token budgets that the vision tower is compiled for at boot; without any, the first image of
    a server's life compiles it in live traffic.
    """
    tokens, requests, logits = buckets.tokens, buckets.requests, buckets.logits
    rows = logits if speculative else requests
    product = len(logits) * len(requests)
    kinds: dict[str, int] = {
        "sample": 4 * len(requests),
        "gather_logprobs": len(requests),
        "gather_logprobs_spec": pairs(logits, requests) if speculative else 0,
        "compute_and_gather_prompt_logprobs": sum(size <= MAX_PROMPT_LOGPROBS_TOKENS for size in tokens),
        "backbone": len(tokens) * len(buckets.attention),
    }
    if multimodal:
        kinds |= {
            "mm_encoder_jit": vision_programs,
            "input_embeddings_merger": len(tokens),
            "input_embeddings_merger_text_only": len(tokens),
            # One per token bucket even with several attention buckets: the loop over those only
            # leaves its last value behind (`_precompile_backbone_with_inputs_embeds`).
            "backbone with embeds": len(tokens),
        }
    if async_scheduling:
        sizes = len(set(tokens) | set(requests))
        kinds["_substitute_placeholder_token_fn"] = (
            sizes + len(logits) if speculative else sizes * (1 + len(requests))
        )
        if speculative:
            kinds["_subtract_num_rejected_tokens_fn"] = len(tokens)
            kinds["concat_last_sampled_tokens_and_draft_tokens"] = 1
    kinds["select_from_array [select all logits]"] = pairs(tokens, rows)
    if speculative:
        kinds["select_from_array [select bonus tokens for spec decoding]"] = pairs(logits, requests)
        kinds["select_from_array [select target tokens for spec decoding]"] = len(logits)
    kinds["compute_logits"] = len(rows)
    kinds["structured_decode"] = len(requests)
    if speculative:
        kinds |= {
            "greedy_rejection_sampler": product,
            "random_rejection_sampler": product,
            "extract_last_sampled_tokens": product,
            "extract_draft_token_ids": pairs(tokens, logits),
            "_process_and_extend_logits": pairs(logits, requests),
            "_extend_logits_simple": pairs(logits, requests),
            "select_bonus_logits": product,
            "select_target_logits": product,
        }
    if speculative == "mtp":
        kinds["drafter_propose"] = kinds["drafter_prepare_inputs"] = len(tokens) * len(buckets.attention)
    return Programs(buckets, MappingProxyType({kind: number for kind, number in kinds.items() if number}))
