"""vLLM's own V1 scheduler and KV cache manager, without an engine: the only module that imports vLLM.

The configuration is vLLM's: its parser reads the engine's own command line, beside a config.json of a small
model of the same family. Chunked prefill, prefix caching, preemption and asynchronous scheduling are those of
the installed version. The KV cache has the pages that the engine would have on its slice, in one group of
full-attention layers: the TPU runtime gives every layer of Gemma 4 such pages
(tpu_inference/runner/kv_cache_manager.py, `get_kv_cache_spec`). Every answer has its full length.
"""

# vLLM is not installed where types are checked.
# pyright: basic, reportMissingImports=false

import json
import logging
import os
import tempfile
from pathlib import Path
from typing import Any

from config.traffic.load import Request
from planner.clock import Batch, Outcome
from planner.step_work import Piece, prompt_tokens_of_image
from serving.compilation.candidate import Candidate
from serving.compilation.resolved_config import image_tokens

ENVIRONMENT = {
    # vLLM asks for a chip's name at import, from the machine's metadata server unless these are set.
    "JAX_PLATFORMS": "cpu",
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_ACCELERATOR_TYPE": "v6e-4",
    "TPU_NAME": "planner",
    "TPU_WORKER_ID": "0",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "HF_HUB_OFFLINE": "1",
    "VLLM_PLUGINS": "",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
}

_MODEL = {
    "architectures": ["Gemma4ForCausalLM"],
    "model_type": "gemma4_text",
    "dtype": "bfloat16",
    "vocab_size": 262_144,
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "layer_types": ["sliding_attention", "full_attention"],
    "sliding_window": 64,
    "num_attention_heads": 8,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "hidden_size_per_layer_input": 0,
    "num_kv_shared_layers": 0,
    "rope_parameters": {
        "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
        "full_attention": {
            "rope_type": "proportional",
            "partial_rotary_factor": 0.25,
            "rope_theta": 1_000_000.0,
        },
    },
}
"""A model whose layers no step of the scheduler looks at."""

_SCHEDULING = (
    "--async-scheduling",
    "--disable-chunked-mm-input",
    "--enable-prefix-caching",
    "--long-prefill-token-threshold",
    "--long-prefill-token-threshold-adaptive",
    "--max-model-len",
    "--max-num-active-seqs",
    "--max-num-batched-tokens",
    "--max-num-seqs",
    "--prefix-caching-hash-algo",
    "--scheduler-reserve-full-isl",
    "--watermark",
)
"""Flags on which the scheduling of requests depends, each also with `--no-`."""


_PLACEHOLDER = 3
"""Token id of every token of an image; pages with images differ by the images' names."""


class VllmScheduler:
    """vLLM's scheduler for one engine. Not safe to share between processes."""

    def __init__(self, candidate: Candidate, pages: int) -> None:
        """Builds the scheduler for `pages` pages. The first one of a process imports vLLM, for seconds."""
        os.environ.update(ENVIRONMENT)
        # The TPU backend would report, as warnings and errors, that this machine has no chip.
        logging.getLogger("vllm.tpu_inference").setLevel(logging.CRITICAL)
        config = _configuration(candidate)
        config.cache_config.num_gpu_blocks = pages
        self.scheduler, self.hasher = _scheduler(config, pages)
        self.image_tokens = prompt_tokens_of_image(candidate)
        if candidate.runtime.multimodal:
            _take_images(self.scheduler, config, image_tokens(candidate.model, candidate.engine))
        self.pages = pages
        self.numbers: dict[str, int] = {}

    def add(self, request: Request) -> None:
        """Takes a request."""
        from vllm.sampling_params import SamplingParams
        from vllm.v1 import request as vllm_request

        name = str(request.number)
        self.numbers[name] = request.number
        sampling = SamplingParams(max_tokens=request.answer, ignore_eos=True)
        text, features = request.tokens(), _features(request, self.image_tokens)
        images = [_PLACEHOLDER] * (request.images * self.image_tokens)
        self.scheduler.add_request(
            vllm_request.Request(
                name,
                [*text[: request.shared], *images, *text[request.shared :]],
                sampling,
                None,
                mm_features=features,
                block_hasher=self.hasher,
                arrival_time=0.0,
            )
        )

    def schedule(self) -> Batch | None:
        """Returns the next step, or None if no request can run."""
        if not self.scheduler.has_requests():
            return None
        output = self.scheduler.schedule()
        if not output.total_num_scheduled_tokens:
            # An empty step only names requests that ended.
            return None
        fresh = {request.req_id for request in output.scheduled_new_reqs}
        requests = self.scheduler.requests
        encoded = output.scheduled_encoder_inputs
        pieces = [
            Piece(
                tokens,
                requests[name].num_computed_tokens - tokens,
                name in fresh,
                len(encoded.get(name, ())),
            )
            for name, tokens in output.num_scheduled_tokens.items()
        ]
        whole = [not requests[name].is_prefill_chunk for name in output.num_scheduled_tokens]
        return Batch(pieces, len(output.preempted_req_ids or ()), (output, whole))

    def complete(self, batch: Batch) -> Outcome:
        """Ends a step: each request whose prompt is computed gets a token."""
        from vllm.v1.outputs import ModelRunnerOutput

        output, whole = _handle(batch)
        names = list(output.num_scheduled_tokens)
        result = ModelRunnerOutput(
            req_ids=names,
            req_id_to_index={name: index for index, name in enumerate(names)},
            sampled_token_ids=[[1] if got else [] for got in whole],
        )
        outputs_by_client = self.scheduler.update_from_output(output, result)
        tokens, finished = list[int](), list[int]()
        for outputs in outputs_by_client.values():
            for each in outputs.outputs:
                number = self.numbers[each.request_id]
                if each.new_token_ids:
                    tokens.append(number)
                if each.finished:
                    finished.append(number)
                    del self.numbers[each.request_id]
        return Outcome(tokens, finished)

    def waiting(self) -> int:
        """Returns the requests that wait."""
        return len(self.scheduler.waiting)

    def cached_share(self) -> float:
        """Returns the share of the pages that requests hold."""
        return self.scheduler.kv_cache_manager.usage


def _features(request: Request, tokens: int) -> list[Any]:
    """Returns what vLLM knows of the images of a request, each `tokens` long with its first and last mark."""
    import torch
    from vllm.multimodal.inputs import MultiModalFeatureSpec, PlaceholderRange

    embedded = torch.ones(tokens, dtype=torch.bool)
    embedded[0] = embedded[-1] = False
    return [
        MultiModalFeatureSpec(
            data=None,
            modality="image",
            identifier=f"{request.number}-{image}",
            mm_position=PlaceholderRange(request.shared + image * tokens, tokens, embedded),
        )
        for image in range(request.images)
    ]


def _take_images(scheduler: Any, config: Any, tokens: int) -> None:
    """Gives a scheduler the budget and the cache of a vision tower, which a text model's scheduler lacks."""
    from vllm.v1.core import encoder_cache_manager

    budget, size = encoder_cache_manager.compute_mm_encoder_budget(config.scheduler_config, {"image": tokens})
    scheduler.max_num_encoder_input_tokens = budget
    scheduler.encoder_cache_manager = encoder_cache_manager.EncoderCacheManager.create_manager(
        cache_size=size, vllm_config=config
    )


def _handle(batch: Batch) -> tuple[Any, list[bool]]:
    handle: Any = batch.handle
    return handle


def _configuration(candidate: Candidate) -> Any:
    """Returns vLLM's configuration for the engine's command line. Raises ValueError with vLLM's reason."""
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    longest = candidate.engine.max_model_len
    with tempfile.TemporaryDirectory(prefix="planner-") as name:
        text = json.dumps({**_MODEL, "max_position_embeddings": max(longest, candidate.model.max_context)})
        (Path(name) / "config.json").write_text(text, "utf-8")
        words = [
            *scheduling_words(candidate),
            "--skip-tokenizer-init",
            "--block-size",
            str(candidate.runtime.block_size),
        ]
        parser = AsyncEngineArgs.add_cli_args(FlexibleArgumentParser())
        # Flags of the HTTP server are not the engine's.
        parsed, _ = parser.parse_known_args(["--model", name, *words])
        return AsyncEngineArgs.from_cli_args(parsed).create_engine_config()


def scheduling_words(candidate: Candidate) -> list[str]:
    """Returns the words of the engine's command line on which the scheduling of text requests depends."""
    words, taken = list[str](), False
    for word in candidate.engine.argv("model", "model", 1):
        if word.startswith("--"):
            taken = word.replace("--no-", "--") in _SCHEDULING
        if taken:
            words.append(word)
    return words


def _scheduler(config: Any, pages: int) -> tuple[Any, Any]:
    """Returns the scheduler, built as vllm/v1/engine/core.py builds it, and its hasher of prompt pages."""
    import torch
    from vllm.utils.hashing import get_hash_fn_by_name
    from vllm.v1.core import kv_cache_utils
    from vllm.v1.core.single_type_kv_cache_manager import register_all_kvcache_specs
    from vllm.v1.kv_cache_interface import FullAttentionSpec, KVCacheConfig, KVCacheGroupSpec
    from vllm.v1.structured_output import StructuredOutputManager

    register_all_kvcache_specs(config)
    spec = FullAttentionSpec(
        block_size=config.cache_config.block_size, num_kv_heads=1, head_size=128, dtype=torch.bfloat16
    )
    cache = KVCacheConfig(
        num_blocks=pages, kv_cache_tensors=[], kv_cache_groups=[KVCacheGroupSpec(["layer.0"], spec)]
    )
    block_size, hash_block_size = kv_cache_utils.resolve_kv_cache_block_sizes(cache, config)
    hasher = None
    if config.cache_config.enable_prefix_caching:
        function = get_hash_fn_by_name(config.cache_config.prefix_caching_hash_algo)
        kv_cache_utils.init_none_hash(function)
        hasher = kv_cache_utils.get_request_block_hasher(hash_block_size, function)
    scheduler = config.scheduler_config.get_scheduler_cls()(
        vllm_config=config,
        kv_cache_config=cache,
        structured_output_manager=StructuredOutputManager(config),
        block_size=block_size,
        hash_block_size=hash_block_size,
        log_stats=False,
    )
    return scheduler, hasher
