"""Runs in the model server's own Python: answers each configuration on stdin with the wheels' own functions.

One JSON object in, one out. Nothing of this project is imported here, so that the two sides share no code.
Each function below names what it calls; a case contains only numbers.
"""

import dataclasses
import importlib.metadata
import json
import os
import sys

os.environ.update(
    JAX_PLATFORMS="cpu",
    XLA_FLAGS="--xla_force_host_platform_device_count=8",
    # Without these variables the platform asks the metadata server for the machine type.
    TPU_ACCELERATOR_TYPE="v6e-8",
    TPU_NAME="oracle",
    TPU_WORKER_ID="0",
    HF_HUB_OFFLINE="1",
    VLLM_LOGGING_LEVEL="ERROR",
    VLLM_PLUGINS="",
)

from types import SimpleNamespace
from unittest.mock import MagicMock

import jax
import jax.numpy as jnp
import numpy as np
import oracle_loops
from tpu_inference import envs as tpu_envs
from tpu_inference import utils
from tpu_inference.layers.common.moe import MoEBackend
from tpu_inference.layers.common.process_weights import moe_weights
from tpu_inference.layers.vllm.backends.flash_attn import PallasAttentionBackend
from tpu_inference.runner import kv_cache
from tpu_inference.runner import utils as runner_utils
from vllm.renderers.chat_utils import load_chat_template, validate_chat_template
from vllm.v1.core.kv_cache_planning import get_kv_cache_configs
from vllm.v1.core.kv_cache_utils import generate_scheduler_kv_cache_config, get_kv_cache_capacity
from vllm.v1.core.single_type_kv_cache_manager import register_all_kvcache_specs
from vllm.v1.kv_cache_interface import FullAttentionSpec

BYTE = {8: "fp8_e5m2", 16: "bfloat16"}


def mesh(chips):
    devices = np.array(jax.devices()[:chips]).reshape(1, chips)
    return jax.sharding.Mesh(devices, ("data", "model"))


MESHES = {chips: mesh(chips) for chips in (1, 2, 4, 8)}


def buckets(case):
    """The padding builders, called as `TPUModelRunner._init_inputs` calls them."""
    seqs = max(case["max_num_seqs"], runner_utils.MIN_NUM_SEQS)
    packing = utils.get_dtype_packing(utils.to_jax_dtype(BYTE[case["kv_bits"]]))
    os.environ["ATTN_BUCKETIZED_NUM_REQS"] = str(int(case["bucketized"]))
    return {
        "tokens": runner_utils.build_token_paddings(
            max(case["min_token_bucket"], 1 << (packing - 1).bit_length()),
            case["max_num_batched_tokens"],
            case["gap"],
            case["extra"],
        ),
        "requests": runner_utils.get_req_paddings(runner_utils.MIN_NUM_SEQS, seqs),
        "attention": runner_utils.get_attn_req_paddings(runner_utils.MIN_NUM_SEQS, case["max_num_seqs"]),
        "logits": (
            runner_utils.get_token_paddings(runner_utils.MIN_NUM_SEQS, seqs * (case["drafts"] + 1), 0)
            if case["drafts"]
            else []
        ),
    }


def pages(case):
    """`TpuPlatform.check_and_update_config`: the block size that the platform picks."""
    config = SimpleNamespace(
        model_config=SimpleNamespace(max_model_len=case["max_model_len"]),
        scheduler_config=SimpleNamespace(max_num_seqs=case["max_num_seqs"]),
    )
    return {
        "page_size": PallasAttentionBackend.get_page_size(config),
        "min_page_size": PallasAttentionBackend.get_min_page_size(config),
    }


def cache(case):
    """Layer specs as `KVCacheManager.get_kv_cache_spec` makes them, then vLLM's own planning of pages."""
    dtype = utils.to_torch_dtype(BYTE[case["kv_bits"]])
    specs, layer_bytes = {}, []
    for number, (heads, head_dim) in enumerate(case["layers"]):
        padded = utils.get_padded_num_heads(heads, case["chips"])
        width = utils.get_padded_head_dim(head_dim)
        size = kv_cache.get_attention_page_size_bytes(
            MESHES[case["chips"]], case["block_size"], padded, width, dtype, False, None
        )
        layer_bytes.append(size)
        specs[f"layer.{number}"] = FullAttentionSpec(
            block_size=case["block_size"],
            num_kv_heads=padded,
            head_size=width,
            dtype=dtype,
            page_size_padded=int(size),
        )
    config = MagicMock()
    config.model_config.max_model_len = case["max_model_len"]
    config.model_config.original_max_model_len = case["max_model_len"]
    config.cache_config.num_gpu_blocks_override = case["override"]
    config.cache_config.get_resolved_kv_cache_layout.return_value = LAYOUT
    config.attention_config.hisparse_config = None
    config.parallel_config.decode_context_parallel_size = 1
    config.parallel_config.tensor_parallel_size = case["chips"]
    config.scheduler_config.disable_hybrid_kv_cache_manager = False
    config.num_prefill_lookahead_tokens = 0
    # `TPUWorker.determine_available_memory`: one product over the chips, one truncation.
    limit = sum([case["hbm"]] * case["chips"])
    room = int(limit * case["utilization"] - case["resident"] * case["chips"])
    answer = {"layer_bytes": layer_bytes, "room": room}
    if room <= 0:
        return answer | {"refused": True}
    try:
        planned = generate_scheduler_kv_cache_config(get_kv_cache_configs(config, [specs], [room]))
    except ValueError:
        return answer | {"refused": True}
    tokens, concurrency = get_kv_cache_capacity(config, planned)
    return answer | {
        "refused": False, "pages": planned.num_blocks, "tokens": tokens, "concurrency": concurrency,
    }  # fmt: skip


def experts(case):
    """Runs `process_unquantized_moe_weights` on shapes only, sharded as in `_get_moe_weight_shardings`."""
    bank = case["experts"]
    if bank is None:
        return None
    os.environ["MOE_REQUANTIZE_WEIGHT_DTYPE"] = "float8_e4m3fn" if bank["requantize"] else ""
    os.environ["MOE_REQUANTIZE_BLOCK_SIZE"] = str(bank["block"]) if bank["block"] else ""
    backend = MoEBackend.GMM_EP if bank["whole"] else MoEBackend.GMM_TP
    grid = MESHES[case["chips"]]
    shape = jax.ShapeDtypeStruct
    gate_up = shape((bank["count"], 2 * bank["intermediate"], bank["hidden"]), jnp.bfloat16)
    down = shape((bank["count"], bank["hidden"], bank["intermediate"]), jnp.bfloat16)

    def process(w13, w2):
        return moe_weights.process_unquantized_moe_weights.__wrapped__(
            mesh=grid,
            moe_backend=backend,
            activation=None,
            w13_weight=w13,
            w13_bias=None,
            w2_weight=w2,
            w2_bias=None,
        )

    try:
        processed = jax.eval_shape(process, gate_up, down)
        shardings = moe_weights._get_moe_weight_shardings(processed, backend, grid)
        total = 0
        for name in ("w13_weight", "w2_weight", "w13_weight_scale", "w2_weight_scale"):
            array = getattr(processed, name)
            if array is not None:
                local = getattr(shardings, name).shard_shape(array.shape)
                total += int(np.prod(local)) * array.dtype.itemsize
        return {"bytes": total}
    except (AssertionError, ValueError, TypeError) as error:
        return {"refused": f"{type(error).__name__}: {error}"}


def argv(case):
    """vLLM's own parser on a whole command line, and its own reading of the chat template there."""
    arguments = PARSER.parse_args(case["argv"])
    validate_chat_template(arguments.chat_template)
    arguments.chat_template = load_chat_template(arguments.chat_template)
    return {name: plain(value) for name, value in vars(arguments).items()}


def plain(value):
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name, None)) for field in dataclasses.fields(value)}
    return repr(value)


def make_parser():
    from vllm.entrypoints.launchers.cli_args import make_arg_parser
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    return make_arg_parser(FlexibleArgumentParser())


def main():
    work = json.load(sys.stdin)
    warmed = [oracle_loops.warm_up(case, buckets(case), MESHES[case["chips"]]) for case in work["warm_ups"]]
    oracle_loops.quiet()
    register_all_kvcache_specs(MagicMock())
    answers = []
    for case in work["cases"]:
        padded = buckets(case)
        answers.append(
            {
                "buckets": padded,
                "pages": pages(case),
                "cache": cache(case),
                "experts": experts(case),
                "programs": oracle_loops.programs(case, padded, MESHES[1])
                if case["count_programs"]
                else None,
            }
        )
    result = {
        "versions": {name: importlib.metadata.version(name) for name in work["packages"]},
        "answers": answers,
        "warm_ups": warmed,
        "arguments": [argv(case) for case in work["commands"]],
        "environment": sorted(tpu_envs.environment_variables),
    }
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    from vllm.v1.kv_cache_layout import KVCacheLayout

    LAYOUT = KVCacheLayout.LBNHC
    PARSER = make_parser()
    main()
