"""The loops of `CompilationManager`, run by the server's own Python without compiling anything."""

from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import jax
import jax.numpy as jnp
import tpu_inference.runner.compilation_manager as compilation
from tpu_inference.layers.common.process_weights import moe_weights
from tpu_inference.runner import utils as runner_utils


def programs(case, padded, grid):
    """Returns names and numbers of the programs of `CompilationManager.capture_model`, whose loops really
    run."""
    counts = {}
    runner = MagicMock()
    runner.mesh = grid
    runner.num_tokens_paddings = padded["tokens"]
    runner.num_reqs_paddings = padded["requests"]
    runner.attn_num_reqs_paddings = padded["attention"]
    runner.num_logits_paddings = padded["logits"] or None
    runner.pcp_num_reqs_paddings = [1]
    runner.max_num_reqs = runner.attn_max_num_seqs = padded["requests"][-1]
    runner.dp_size = runner.vllm_config.sharding_config.total_dp_size = 1
    runner.vllm_config.sharding_config.prefill_cp_size = 1
    runner.model_config.get_hidden_size.return_value = 8
    runner.vllm_config.model_config.get_hidden_size.return_value = 8
    runner.vllm_config.model_config.hf_config.vision_config = None
    runner.vocab_size = 8
    runner.uses_mrope = False
    runner.is_first_rank = runner.is_last_rank = True
    runner.is_pooling_model = runner.enable_continue_decode = False
    runner.is_multimodal_model = case["multimodal"]
    runner.precompile_vision_encoder_fn = None
    runner.scheduler_config.async_scheduling = case["async"]
    runner.model_config.enforce_eager = False
    runner.kv_cache_config.has_mamba_layers = False
    runner.kv_cache_config.kv_cache_groups = [None]
    runner.input_batch.block_table = {0: SimpleNamespace(max_num_blocks_per_req=1)}
    runner.vllm_config.compilation_config.compilation_time = 0
    runner.rank = 0
    runner.speculative_config = (
        SimpleNamespace(method="ngram", num_speculative_tokens=case["drafts"]) if case["drafts"] else None
    )
    manager = compilation.CompilationManager.__new__(compilation.CompilationManager)
    manager.runner = runner
    manager._sampling_precompiled = manager._gather_logprobs_precompiled = False
    manager._compile_executor = manager._prev_stack_size = None
    manager._create_dummy_tensor = lambda shape, *rest, **named: SimpleNamespace(shape=shape)
    manager._flush_compilations = lambda: None

    def record(name, *rest, **named):
        kind = name.replace("worker0 ", "")
        counts[kind] = counts.get(kind, 0) + 1

    manager._run_compilation = record
    manager.capture_model()
    return counts


def warm_up(case, padded, grid):
    """Returns the bytes on the first chip of the logits that `_precompile_speculative_decoding` holds when it
    begins to call its programs: real arrays, the library's own loops and its own list of tasks."""
    runner = MagicMock()
    runner.mesh = grid
    runner.num_tokens_paddings = padded["tokens"]
    runner.num_reqs_paddings = padded["requests"]
    runner.num_logits_paddings = padded["logits"]
    runner.max_num_reqs = padded["requests"][-1]
    runner.dp_size = 1
    runner.vocab_size = case["vocabulary"]
    runner.model_config.dtype = jnp.bfloat16
    runner.vllm_config.parallel_config.tensor_parallel_size = case["chips"]
    runner.speculative_config = SimpleNamespace(method="ngram", num_speculative_tokens=case["drafts"])
    manager = compilation.CompilationManager.__new__(compilation.CompilationManager)
    manager.runner = runner
    manager._compile_executor = None
    manager._compile_futures, manager._warmup_tasks = [], []
    names = ("process_and_extend_logits", "extend_logits_simple", "extract_last_sampled_tokens")
    originals = {name: getattr(compilation, name) for name in names}
    for name in names:
        setattr(compilation, name, MagicMock())
    manager._precompile_speculative_decoding()
    for name, original in originals.items():
        setattr(compilation, name, original)
    held = {}
    for _, _, arguments, named, _ in manager._warmup_tasks:
        for leaf in jax.tree.leaves((arguments, named)):
            if isinstance(leaf, jax.Array) and leaf.ndim == 2 and leaf.shape[1] == case["vocabulary"]:
                held[id(leaf)] = leaf.addressable_shards[0].data.nbytes
    return {"tasks": len(manager._warmup_tasks), "bytes": sum(held.values())}


def quiet():
    """Run the loops for shapes only: nothing is put on a device, nothing is logged."""
    compilation.device_array = lambda grid, *arrays, **named: arrays[0] if len(arrays) == 1 else arrays
    compilation.NamedSharding = lambda *rest, **named: None
    compilation.PartitionSpec = lambda *rest, **named: None
    compilation.jnp = MagicMock()
    for name in (
        "AttentionMetadata",
        "SharedAttentionMetadata",
        "SpecDecodeMetadata",
        "TPUSupportedSamplingMetadata",
    ):
        setattr(compilation, name, lambda *rest, **named: None)
    compilation.jax = MagicMock()
    compilation.get_mesh_shape_product = lambda *rest: 1
    modules: tuple[Any, ...] = (compilation, runner_utils, moe_weights)
    for module in modules:
        module.logger = MagicMock()
