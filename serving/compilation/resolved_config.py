"""Values with which the server runs: the engine's fields, and the server's choice for each unset field.

This module repeats what vllm-tpu 0.32.0 chooses for a field of EngineConfig that is None;
tests/vllm/test_oracle.py compares the results with the originals.
"""

from dataclasses import dataclass

from serving.compilation import buckets
from serving.compilation.buckets import Buckets, Programs
from serving.engine.config import EngineConfig
from serving.models.spec import CodePath, ModelSpec

SMEM_BYTES = 1024 * 1024
"""Scalar memory of a TPU core up to v6e, from `get_min_page_size`."""

BLOCK_TABLE_BYTES = SMEM_BYTES // 2
"""Scalar memory that the attention kernel leaves for the block table: half of it."""


@dataclass(frozen=True)
class Runtime:
    """Resolved values of one server; lengths in tokens.

    `multimodal` is true if the runner compiles image programs. Below `smallest_block_size` the block table
    overflows scalar memory; the server enforces that size only when block_size is unset.
    """

    block_size: int
    smallest_block_size: int
    blocks_per_request: int
    block_table_bytes: int
    kv_bits: int
    async_scheduling: bool
    multimodal: bool
    code_path: CodePath
    programs: Programs

    @property
    def block_table_fits(self) -> bool:
        """True if the block table leaves the attention kernel the half of scalar memory that it needs."""
        return self.block_table_bytes <= BLOCK_TABLE_BYTES


def page_size(max_model_len: int) -> int:
    """Returns the block size of the TPU backend before the scalar-memory rule (`get_page_size`)."""
    if max_model_len > 8192:
        return 16
    return min(max((1 << (max_model_len - 1).bit_length()) // 16, 16), 256)


def min_page_size(max_model_len: int, max_num_seqs: int) -> int:
    """Returns the smallest power of two for which the block table fits into half of scalar memory
    (`get_min_page_size`). Raises ValueError when it fits for none."""
    pages_per_request = BLOCK_TABLE_BYTES // max_num_seqs // 4
    if pages_per_request == 0:
        raise ValueError(
            f"engine.max_num_seqs is {max_num_seqs:,}: a block table of that many rows fits in scalar memory "
            f"at no block size; set it to {BLOCK_TABLE_BYTES // 4:,} or less."
        )
    needed = -(-max_model_len // pages_per_request)
    return 1 << (needed - 1).bit_length()


def takes_images(model: ModelSpec, engine: EngineConfig) -> bool:
    """Returns whether the runner serves images: unless every limit is 0 (`TPUModelRunner.load_model`).

    vLLM's --language-model-only would not change that: the runner reads only the limits.
    """
    limits = engine.limit_mm_per_prompt
    return model.takes_images and (limits is None or limits.image + limits.video + limits.audio > 0)


def code_path(model: ModelSpec, engine: EngineConfig) -> CodePath:
    """Returns the code that runs the model.

    An architecture that the JAX path does not register falls back to vLLM's PyTorch code
    (tpu_inference/models/common/model_loader.py, `get_model`).
    """
    named = engine.architecture_override or model.architecture
    if engine.model_impl_type == "vllm":
        return "torchax"
    if named == "Gemma4ForConditionalGeneration" or named == "Gemma4ForCausalLM":
        return named
    return "torchax"


def image_tokens(model: ModelSpec, engine: EngineConfig) -> int:
    """Returns the tokens of one image at most: the checkpoint's own, unless the engine sets them."""
    return engine.image_tokens or model.tokens_per_image


def schedules_async(engine: EngineConfig) -> bool:
    """Returns whether scheduling is asynchronous. Unset, vLLM chooses it except with ngram
    (vllm/config/vllm.py)."""
    if engine.async_scheduling is not None:
        return engine.async_scheduling
    return engine.speculative is None


def kv_bits(engine: EngineConfig) -> int:
    """Returns the bits of one cached value."""
    return 8 if (engine.kv_cache_dtype or "auto").startswith("fp8") else 16


def resolve(model: ModelSpec, engine: EngineConfig) -> Runtime:
    """Returns the values that the server derives from the engine before it uses a chip.

    Raises ValueError when the block table of `max_num_seqs` requests fits at no block size.
    """
    smallest = min_page_size(engine.max_model_len, engine.max_num_seqs)
    block_size = engine.block_size or max(page_size(engine.max_model_len), smallest)
    blocks_per_request = -(-engine.max_model_len // block_size)
    multimodal = takes_images(model, engine)
    return Runtime(
        block_size=block_size,
        smallest_block_size=smallest,
        blocks_per_request=blocks_per_request,
        block_table_bytes=max(engine.max_num_seqs, buckets.MIN_REQUESTS) * blocks_per_request * 4,
        kv_bits=kv_bits(engine),
        async_scheduling=schedules_async(engine),
        multimodal=multimodal,
        code_path=code_path(model, engine),
        programs=buckets.count(
            _buckets(engine),
            multimodal=multimodal,
            async_scheduling=schedules_async(engine),
            speculative=engine.speculative is not None,
            vision_programs=len(engine.vision_programs.token_budgets) if engine.vision_programs else 0,
        ),
    )


def _buckets(engine: EngineConfig) -> Buckets:
    speculative = engine.speculative
    return Buckets(
        tokens=buckets.token_buckets(
            engine.max_num_batched_tokens,
            engine.bucket_padding_gap or 0,
            smallest=buckets.smallest_bucket(engine.min_token_bucket, kv_bits(engine)),
            extra=engine.compilation_sizes or (),
        ),
        requests=buckets.request_buckets(engine.max_num_seqs),
        attention=buckets.attention_buckets(
            engine.max_num_seqs, bucketized=bool(engine.attn_bucketized_num_reqs)
        ),
        logits=(
            buckets.logits_buckets(engine.max_num_seqs, speculative.num_speculative_tokens)
            if speculative
            else ()
        ),
    )
