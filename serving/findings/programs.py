"""Rules about programs: buckets, what is compiled when, and what the compile cache keeps."""

from collections.abc import Iterator

from serving.compilation.buckets import MIN_REQUESTS
from serving.compilation.candidate import Candidate, Rule
from serving.compilation.resolved_config import BLOCK_TABLE_BYTES
from serving.engine.layers import Change
from serving.findings.multimodal import without_images
from serving.messages.finding import Finding

AUTOMATIC_BLOCK: Change = {"engine.block_size": None}

BATCHED_KERNEL_BLOCK = 256
"""Tokens in a page with which upstream runs the batched kernel (docs/claims.md)."""


def block_table(candidate: Candidate) -> Iterator[Finding]:
    """Refuses pages whose block table overflows, and reports a size that the server takes by itself.

    tpu_inference/layers/vllm/backends/flash_attn.py, `get_min_page_size` and `get_page_size`;
    tpu_inference/platforms/tpu_platform.py, `check_and_update_config`, calls them only for an unset size.
    """
    run = candidate.runtime
    if candidate.engine.block_size is None:
        return
    if not run.block_table_fits:
        yield candidate.finding(
            "error",
            "block-table",
            "block_size",
            f"the block table of {candidate.engine.max_num_seqs:,} requests of "
            f"{candidate.engine.max_model_len:,} tokens takes {run.block_table_bytes // 1024:,} KiB of "
            f"scalar memory, where the attention kernel leaves {BLOCK_TABLE_BYTES // 1024} KiB; the server "
            f"itself would take pages of {run.smallest_block_size} tokens",
            AUTOMATIC_BLOCK,
        )
        return
    if candidate.with_fields(block_size=None).runtime.block_size == candidate.engine.block_size:
        yield candidate.finding(
            "note",
            "block-size-is-default",
            "block_size",
            "the server picks the same size by itself, and the guard that would raise it with more "
            "requests or longer ones is off",
            AUTOMATIC_BLOCK,
        )


def block_packing(candidate: Candidate) -> Iterator[Finding]:
    """Refuses pages that do not fill whole words (tpu_inference/runner/kv_cache.py: the packing is
    32 // dtype bits)."""
    packing = 32 // candidate.runtime.kv_bits
    size = candidate.runtime.block_size
    if size % packing:
        yield candidate.finding(
            "error",
            "block-packing",
            "block_size",
            f"the KV cache packs {packing} values into a word, and a page must hold whole words",
            {"engine.block_size": -(-size // packing) * packing},
            AUTOMATIC_BLOCK,
        )


def batched_kernel(candidate: Candidate) -> Iterator[Finding]:
    """Reports the batched kernel with other pages than upstream's
    (tpu_inference/layers/common/attention_interface.py, USE_BATCHED_RPA_KERNEL)."""
    size = candidate.runtime.block_size
    if candidate.engine.use_batched_rpa_kernel and size != BATCHED_KERNEL_BLOCK:
        yield candidate.finding(
            "note",
            "batched-kernel-block",
            "use_batched_rpa_kernel",
            f"upstream runs that kernel with pages of {BATCHED_KERNEL_BLOCK} tokens; this engine has pages "
            f"of {size}",
            {"engine.block_size": BATCHED_KERNEL_BLOCK},
            {"engine.use_batched_rpa_kernel": None},
        )


def padding_gap(candidate: Candidate) -> Iterator[Finding]:
    """Reports the cost of linear buckets (tpu_inference/runner/utils.py, `get_token_paddings`)."""
    if not candidate.engine.bucket_padding_gap:
        return
    plain = candidate.with_fields(bucket_padding_gap=0).runtime.programs
    programs = candidate.runtime.programs
    yield candidate.finding(
        "note",
        "padding-gap",
        "bucket_padding_gap",
        f"it makes {len(programs.buckets.tokens)} token buckets and {programs.total:,} programs where "
        f"doubling, the default, makes {len(plain.buckets.tokens)} and {plain.total:,}; no setting lets a "
        f"step compile at run time, it is padded to the next bucket",
        {"engine.bucket_padding_gap": 0},
        otherwise="keep it where less padding is worth the longer cold start",
    )


def odd_buckets(candidate: Candidate) -> Iterator[Finding]:
    """Refuses a smallest bucket that is no power of two, and reports buckets that no step fills.

    tpu_inference/runner/utils.py, `get_token_paddings` and `build_token_paddings`.
    """
    smallest = candidate.engine.min_token_bucket
    if smallest is not None and smallest & (smallest - 1):
        yield candidate.finding(
            "error",
            "bucket-not-a-power",
            "min_token_bucket",
            "the padding code asserts a power of two and the server dies at boot",
            {"engine.min_token_bucket": 1 << smallest.bit_length() - 1},
        )
    most = candidate.engine.max_num_batched_tokens
    sizes = candidate.engine.compilation_sizes or ()
    above = [size for size in sizes if size > most]
    if above:
        useful = [size for size in sizes if size <= most]
        yield candidate.finding(
            "warning",
            "bucket-above-budget",
            "compilation_sizes",
            f"no step has more than max_num_batched_tokens {most:,} tokens, so programs for "
            f"{', '.join(f'{size:,}' for size in above)} are compiled and never run",
            {"engine.compilation_sizes": useful or None},
            asked="engine.compilation_sizes has sizes above the budget",
        )


def few_requests(candidate: Candidate) -> Iterator[Finding]:
    """Reports a batch below the smallest that is compiled (tpu_inference/runner/tpu_runner.py,
    `MIN_NUM_SEQS`)."""
    if candidate.engine.max_num_seqs < MIN_REQUESTS:
        yield candidate.finding(
            "note",
            "smallest-batch",
            "max_num_seqs",
            f"the smallest batch that is compiled has {MIN_REQUESTS} requests, the rest is padding",
            {"engine.max_num_seqs": MIN_REQUESTS},
        )


def drafting_programs(candidate: Candidate) -> Iterator[Finding]:
    """Reports the programs that drafting adds (tpu_inference/runner/compilation_manager.py,
    `_precompile_speculative_decoding`)."""
    if candidate.engine.speculative is None:
        return
    without = candidate.with_fields(speculative=None).runtime.programs.total
    yield candidate.finding(
        "note",
        "drafting-programs",
        "speculative",
        f"drafting takes {candidate.runtime.programs.total:,} programs, {without:,} without it",
        {"engine.speculative": None},
        otherwise="accept the longer cold start",
        asked=f"engine.speculative is {candidate.engine.speculative.method}",
    )


def bucketized_attention(candidate: Candidate) -> Iterator[Finding]:
    """Reports request counts that boot does not compile (tpu_inference/runner/compilation_manager.py,
    `_precompile_backbone_with_inputs_embeds`)."""
    if candidate.engine.attn_bucketized_num_reqs and candidate.runtime.multimodal:
        yield candidate.finding(
            "warning",
            "bucketized-attention-images",
            "attn_bucketized_num_reqs",
            "with images only the largest request count is compiled at boot, and the others may compile in "
            "live traffic",
            {"engine.attn_bucketized_num_reqs": None},
            without_images(candidate),
        )


def no_precompile(candidate: Candidate) -> Iterator[Finding]:
    """Refuses a boot that compiles nothing (tpu_inference/runner/compilation_manager.py,
    `capture_model`)."""
    if candidate.engine.skip_jax_precompile:
        yield candidate.finding(
            "error",
            "no-precompile",
            "skip_jax_precompile",
            f"readiness would come before {candidate.runtime.programs.total:,} programs exist, and requests "
            f"would wait for each of them",
            {"engine.skip_jax_precompile": None},
        )


def forbidden_compiles(candidate: Candidate) -> Iterator[Finding]:
    """Reports that a program that boot did not compile ends the engine (tpu_inference/runner/utils.py,
    `ForbidCompile`)."""
    if candidate.engine.xla_check_recompilation:
        yield candidate.finding(
            "warning",
            "forbidden-compiles",
            "xla_check_recompilation",
            "any program that boot did not compile, a first image's among them, ends the engine",
            {"engine.xla_check_recompilation": None},
            otherwise="keep it for tests",
        )


def workers(candidate: Candidate) -> Iterator[Finding]:
    """Reports threads beyond the cores, and what threads do not speed up.

    tpu_inference/runner/compilation_manager.py, `CompilationManager.__init__` and `_run_compilation`, which
    gives only functions with a `lower` to the threads.
    """
    wanted = candidate.engine.num_precompile_workers
    cores = candidate.accelerator.vcpus
    if wanted and cores and wanted > cores:
        yield candidate.finding(
            "warning",
            "more-workers-than-cores",
            "num_precompile_workers",
            f"{candidate.accelerator.name} has {cores} cores",
            {"engine.num_precompile_workers": cores},
        )
    elif wanted and wanted > 1:
        yield candidate.finding(
            "note",
            "workers-and-backbones",
            "num_precompile_workers",
            f"the {candidate.runtime.programs.backbones} whole-model programs still compile one after "
            f"another; only the small ones share the threads",
            otherwise="nothing has to be changed: the cold start's estimate includes it",
        )


def uncached_programs(candidate: Candidate) -> Iterator[Finding]:
    """Reports programs that the compile cache leaves out (jax/_src/config.py,
    `persistent_cache_min_compile_time_secs` and `persistent_cache_min_entry_size_bytes`)."""
    seconds, size = candidate.engine.cache_min_compile_seconds, candidate.engine.cache_min_entry_bytes
    if seconds is None or seconds > 0:
        yield candidate.finding(
            "warning",
            "small-programs-uncached",
            "cache_min_compile_seconds",
            f"programs that compile within {seconds or 1:g} s are never cached, and most of them do",
            {"engine.cache_min_compile_seconds": 0.0},
            asked="" if seconds else "engine.cache_min_compile_seconds is null, JAX's 1 second",
        )
    if size is not None and size > 0:
        yield candidate.finding(
            "warning",
            "small-entries-uncached",
            "cache_min_entry_bytes",
            "smaller programs are never cached",
            {"engine.cache_min_entry_bytes": -1},
        )


RULES: tuple[Rule, ...] = (
    block_table,
    block_packing,
    batched_kernel,
    padding_gap,
    odd_buckets,
    few_requests,
    drafting_programs,
    bucketized_attention,
    no_precompile,
    forbidden_compiles,
    workers,
    uncached_programs,
)
