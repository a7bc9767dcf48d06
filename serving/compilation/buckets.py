"""Number and shapes of the XLA programs that a boot compiles.

The server compiles one program for each padded shape that a step can have. This module repeats the padding
rules of tpu-inference 0.32.0 (`runner/utils.py`, `runner/tpu_runner.py::_init_inputs`) and the loops of
`runner/compilation_manager.py`; tests/vllm/test_oracle.py compares them with the originals. A count is the
number of `Precompile ...` lines that the server logs, by the name in the line.
"""

import bisect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

MIN_REQUESTS = 8
"""Smallest request bucket (`runner/utils.py: MIN_NUM_SEQS`)."""
MIN_TOKENS = 16
"""Smallest token bucket unless the environment variable MIN_TOKEN_BUCKET sets another."""
MAX_PROMPT_LOGPROBS_TOKENS = 1024
"""Larger token buckets get no prompt-logprobs program (`_precompile_gather_logprobs`)."""


def _ladder(smallest: int, largest: int, gap: int) -> list[int]:
    """Returns the sizes of `get_token_paddings`.

    Without a gap they double up to the first size >= `largest`. With a gap they double up to the gap, then
    grow by it.
    """
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
    """Returns the sizes, in tokens, to which a step is padded (`build_token_paddings`).

    `budget` is max_num_batched_tokens. It is itself a bucket, and larger generated buckets are dropped.
    `extra` is `additional_config.compilation_sizes`, unchanged even above the budget.
    """
    top = -(-budget // smallest) * smallest
    sizes = {size for size in _ladder(smallest, budget, gap) if size <= top} | {top}
    return tuple(sorted(sizes | set(extra)))


def smallest_bucket(min_token_bucket: int | None, kv_bits: int) -> int:
    """Returns the first token bucket: MIN_TOKEN_BUCKET, but at least the cached values that share 32 bits."""
    return max(MIN_TOKENS if min_token_bucket is None else min_token_bucket, 32 // kv_bits)


def request_buckets(max_num_seqs: int) -> tuple[int, ...]:
    """Returns the sizes, in requests, to which a batch is padded (`get_req_paddings`)."""
    top = max(max_num_seqs, MIN_REQUESTS)
    doubling = [MIN_REQUESTS << step for step in range(top.bit_length())]
    return (*(size for size in doubling if size < top), top)


def attention_buckets(max_num_seqs: int, *, bucketized: bool = False) -> tuple[int, ...]:
    """Returns the request sizes of the attention metadata (`get_attn_req_paddings`).

    It is only the maximum, unless ATTN_BUCKETIZED_NUM_REQS=1.
    """
    if not bucketized:
        return (max_num_seqs,)
    if max_num_seqs < MIN_REQUESTS:
        return (max_num_seqs,)
    return request_buckets(max_num_seqs)


def logits_buckets(max_num_seqs: int, speculative_tokens: int) -> tuple[int, ...]:
    """Returns the logit rows of a speculative step.

    They double from 8 until they cover every request's drafts and its bonus token.
    """
    rows = max(max_num_seqs, MIN_REQUESTS) * (speculative_tokens + 1)
    return tuple(_ladder(MIN_REQUESTS, rows, 0))


def pairs(outer: Sequence[int], inner: Sequence[int]) -> int:
    """Returns the number of pairs whose inner size is at most the outer size.

    `_should_skip_padding_combination` skips the others.
    """
    return sum(bisect.bisect_right(inner, size) for size in outer)


@dataclass(frozen=True)
class Buckets:
    """Padded sizes of one server. `logits` is empty without speculative decoding."""

    tokens: tuple[int, ...]
    requests: tuple[int, ...]
    attention: tuple[int, ...]
    logits: tuple[int, ...] = ()


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
        """Number of programs with the whole model, which take nearly all of the compile time."""
        return self.by_kind["backbone"] + self.by_kind.get("backbone with embeds", 0)


def count(
    buckets: Buckets,
    *,
    multimodal: bool,
    async_scheduling: bool,
    speculative: bool = False,
    vision_programs: int = 0,
) -> Programs:
    """Returns the programs of `CompilationManager.capture_model` on one host without data parallelism.

    `speculative` is true for ngram drafting. `vision_programs` is the number of token budgets for which the
    boot compiles the vision tower; with 0, the first image compiles it while the server takes requests.
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
    return Programs(buckets, MappingProxyType({kind: number for kind, number in kinds.items() if number}))
