"""Rules about programs: buckets, what is compiled when, and what the compile cache keeps."""

from collections.abc import Iterator

from serving.compilation.candidate import Candidate, Rule
from serving.compilation.resolved_config import BLOCK_TABLE_BYTES
from serving.messages.finding import Finding


def block_table(candidate: Candidate) -> Iterator[Finding]:
    run = candidate.runtime
    if candidate.engine.block_size is None:
        return
    if not run.block_table_fits:
        yield candidate.finding(
            "error",
            "block-table",
            "block_size",
            f"the block table of {candidate.engine.max_num_seqs:,} requests of "
            f"{candidate.engine.max_model_len:,} tokens "
            f"takes {run.block_table_bytes // 1024:,} KiB of scalar memory, where the attention kernel "
            f"leaves {BLOCK_TABLE_BYTES // 1024} KiB",
            f"remove it: the server then takes {run.smallest_block_size}",
        )
        return
    free = candidate.with_fields(block_size=None).runtime.block_size
    if free == candidate.engine.block_size:
        yield candidate.finding(
            "note",
            "block-size-is-default",
            "block_size",
            "the server picks the same size by itself, and the guard that would raise it with more "
            "requests or longer ones is off",
            "remove it",
        )


def block_packing(candidate: Candidate) -> Iterator[Finding]:
    packing = 32 // candidate.runtime.kv_bits
    if candidate.runtime.block_size % packing:
        yield candidate.finding(
            "error",
            "block-packing",
            "block_size",
            f"the KV cache packs {packing} values into a word, and a page must hold whole words",
            f"set it to a multiple of {packing}",
        )


def batched_kernel(candidate: Candidate) -> Iterator[Finding]:
    if candidate.engine.use_batched_rpa_kernel and candidate.runtime.block_size != 256:
        yield candidate.finding(
            "note",
            "batched-kernel-block",
            "use_batched_rpa_kernel",
            f"upstream runs that kernel with pages of 256 tokens; here they have "
            f"{candidate.runtime.block_size}",
            "set block_size to 256 and measure",
        )


def padding_gap(candidate: Candidate) -> Iterator[Finding]:
    gap = candidate.engine.bucket_padding_gap
    if not gap:
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
        "keep it where less padding is worth the longer cold start",
    )


def odd_buckets(candidate: Candidate) -> Iterator[Finding]:
    smallest = candidate.engine.min_token_bucket
    if smallest is not None and smallest & (smallest - 1):
        yield candidate.finding(
            "error",
            "bucket-not-a-power",
            "min_token_bucket",
            "the padding code asserts a power of two and the server dies at boot",
            f"set it to {1 << smallest.bit_length() - 1}",
        )
    most = candidate.engine.max_num_batched_tokens
    above = [size for size in candidate.engine.compilation_sizes or () if size > most]
    if above:
        yield candidate.finding(
            "warning",
            "bucket-above-budget",
            "compilation_sizes",
            f"no step has more than max_num_batched_tokens {most:,} tokens, so "
            f"programs for {', '.join(f'{size:,}' for size in above)} are compiled and never run",
            "remove them",
            asked="engine.compilation_sizes has sizes above the budget",
        )


def few_requests(candidate: Candidate) -> Iterator[Finding]:
    if candidate.engine.max_num_seqs < 8:
        yield candidate.finding(
            "note",
            "smallest-batch",
            "max_num_seqs",
            "the smallest batch that is compiled has 8 requests, the rest is padding",
            "set it to 8 or more",
        )


def drafting_programs(candidate: Candidate) -> Iterator[Finding]:
    if candidate.engine.speculative is None:
        return
    without = candidate.with_fields(speculative=None).runtime.programs.total
    yield candidate.finding(
        "note",
        "drafting-programs",
        "speculative",
        f"drafting takes {candidate.runtime.programs.total:,} programs, {without:,} without it",
        "count that into the cold start",
        asked=f"engine.speculative is {candidate.engine.speculative.method}",
    )


def bucketized_attention(candidate: Candidate) -> Iterator[Finding]:
    if candidate.engine.attn_bucketized_num_reqs and candidate.runtime.multimodal:
        yield candidate.finding(
            "warning",
            "bucketised-attention-images",
            "attn_bucketized_num_reqs",
            "with images only the largest request count is compiled at boot, and the others may compile in "
            "live traffic",
            "remove it, or set every limit of limit_mm_per_prompt to 0",
        )


def no_precompile(candidate: Candidate) -> Iterator[Finding]:
    if candidate.engine.skip_jax_precompile:
        yield candidate.finding(
            "error",
            "no-precompile",
            "skip_jax_precompile",
            f"readiness would come before {candidate.runtime.programs.total:,} programs exist, and requests "
            f"would wait for each of them",
            "remove it",
        )


def forbidden_compiles(candidate: Candidate) -> Iterator[Finding]:
    if candidate.engine.xla_check_recompilation:
        yield candidate.finding(
            "warning",
            "forbidden-compiles",
            "xla_check_recompilation",
            "any program that boot did not compile, a first image's among them, ends the engine",
            "keep it for tests",
        )


def workers(candidate: Candidate) -> Iterator[Finding]:
    asked = candidate.engine.num_precompile_workers
    cores = candidate.accelerator.vcpus
    if asked and cores and asked > cores:
        yield candidate.finding(
            "warning",
            "more-workers-than-cores",
            "num_precompile_workers",
            f"{candidate.accelerator.name} has {cores} cores",
            f"lower it to {cores}",
        )
    elif asked and asked > 1:
        yield candidate.finding(
            "note",
            "workers-and-backbones",
            "num_precompile_workers",
            f"the {candidate.runtime.programs.backbones} whole-model programs still compile one after "
            f"another; only the small ones share the threads",
            "keep it",
        )


def uncached_programs(candidate: Candidate) -> Iterator[Finding]:
    seconds, size = candidate.engine.cache_min_compile_seconds, candidate.engine.cache_min_entry_bytes
    if seconds is None or seconds > 0:
        yield candidate.finding(
            "warning",
            "small-programs-uncached",
            "cache_min_compile_seconds",
            f"programs that compile within {seconds or 1:g} s are never cached, and most of them do",
            "set it to 0",
            asked="" if seconds else "engine.cache_min_compile_seconds is null, JAX's 1 second",
        )
    if size is not None and size > 0:
        yield candidate.finding(
            "warning",
            "small-entries-uncached",
            "cache_min_entry_bytes",
            "smaller programs are never cached",
            "set it to -1",
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
