"""Named engines: the three phases of the Turbo-Stable recipe, the phase of this project, and six scenarios.

A phase is a whole engine. A scenario changes a few fields of it, and overrides change single fields. An
override replaces a whole value: a new `limit_mm_per_prompt` replaces the old one. Each value that differs
from the recipe has its row in docs/claims.md. No text here calls an engine faster than another, because
this project has measured no throughput of them on a TPU.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from serving.engine.config import EngineConfig, parse
from serving.messages.suggest import unknown


@dataclass(frozen=True)
class Phase:
    """Named engine for `model`, a key of serving.models.catalog.MODELS. `trade_off` says what it costs."""

    name: str
    description: str
    trade_off: str
    model: str
    engine: Mapping[str, object]


@dataclass(frozen=True)
class Scenario:
    """Fields that replace those of a phase. `trade_off` says what they cost."""

    name: str
    description: str
    trade_off: str
    engine: Mapping[str, object]


_GEMMA_CHAT: Mapping[str, object] = {
    "dtype": "bfloat16",
    "enable_auto_tool_choice": True,
    "tool_call_parser": "gemma4",
    "reasoning_parser": "gemma4",
}

# The TPU runtime takes images only: it has no video path (tpu_inference/models/jax/gemma4_mm.py raises
# "Video not yet supported.") and loads no audio tower.
_IMAGES: Mapping[str, object] = {
    "disable_chunked_mm_input": True,
    "limit_mm_per_prompt": {"image": 4, "video": 0, "audio": 0},
}

# Fields that the recipe's three phases share.
_RECIPE: Mapping[str, object] = {
    **_GEMMA_CHAT,
    **_IMAGES,
    "tensor_parallel_size": 4,
    "max_model_len": 16_384,
    "max_num_seqs": 256,
    "max_num_batched_tokens": 4096,
}

_PHASES = (
    Phase(
        name="baseline",
        description="The recipe's first phase: only the 4B model (Gemma 4 E4B), with vLLM's defaults.",
        trade_off="E4B has two KV heads, so at 4 chips each is stored twice; it would fit one chip.",
        model="gemma-4-e4b-it",
        engine={**_RECIPE, "gpu_memory_utilization": 0.9},
    ),
    Phase(
        name="peak",
        description="The recipe's second phase: the 26B model at 0.95 of HBM, almost no headroom.",
        trade_off="The largest KV cache, and 1.6 GiB a chip for everything else: for comparison, "
        "not for serving.",
        model="gemma-4-26b-a4b-it",
        engine={
            **_RECIPE,
            "gpu_memory_utilization": 0.95,
            "kv_cache_dtype": "fp8",
        },
    ),
    Phase(
        name="turbo-stable",
        description="The recipe's third phase, with only the changes without which it cannot boot or serve.",
        # Drafting and 256 requests do not fit together. While it warms up, the runtime keeps a copy of the
        # logits for every pair of buckets on every chip, and only 32 requests fit beside the weights at
        # 0.90. Without drafting the KV cache holds 166 requests of 2,300 tokens.
        trade_off="No n-gram drafting, which would leave 32 request slots of 256; an fp8 KV cache, whose "
        "effect on answers nobody has evaluated; a gap that compiles more programs to pad less.",
        model="gemma-4-26b-a4b-it",
        engine={
            **_RECIPE,
            "gpu_memory_utilization": 0.9,
            "kv_cache_dtype": "fp8",
            "block_size": 32,
            "enable_prefix_caching": True,
            "safetensors_load_strategy": "prefetch",
            "trust_remote_code": True,
            "bucket_padding_gap": 512,
        },
    ),
    Phase(
        name="tuned",
        description="This project's phase: the recipe's promises with few programs, unquantized KV values, "
        "and the utilization at which this model has booted on a v6e-4.",
        trade_off="A bf16 KV cache: fewer resident tokens than fp8, no change of answers. Half the recipe's "
        "request slots, which its KV cache could not fill. One vision program more at boot, so that no "
        "first image waits for it.",
        model="gemma-4-26b-a4b-it",
        engine={
            **_RECIPE,
            # The utilization of the only public boot log of this model on a v6e-4.
            "gpu_memory_utilization": 0.92,
            "max_num_seqs": 128,
            "vision_programs": {"token_budgets": (280,), "images_per_call": 1},
            "async_scheduling": True,
            "enable_prefix_caching": True,
            "enable_prompt_tokens_details": True,
            "num_precompile_workers": 8,
        },
    ),
)

_SCENARIOS = (
    Scenario(
        name="interactive",
        description="Chat: short queues before full batches.",
        trade_off="Fewer request slots: more users wait outside, those inside get their tokens sooner.",
        engine={"max_num_seqs": 64, "enable_prefix_caching": True},
    ),
    Scenario(
        name="batch",
        description="Offline work: the largest steps that fit, no drafting.",
        trade_off="Long steps delay each first token; nobody should wait for an answer. Simulated, steps of "
        "8,192 tokens answer no more tokens a second than those of the phases.",
        engine={
            "max_num_seqs": 512,
            "max_num_batched_tokens": 8192,
            "speculative": None,
            "block_size": None,
        },
    ),
    Scenario(
        name="multimodal",
        description="Requests with images: up to four, the vision tower compiled at boot.",
        trade_off="One vision program more at boot, instead of a first image that waits for its own; images "
        "are encoded one by one, because the compiler of v6e refuses more at once.",
        engine={
            "limit_mm_per_prompt": {"image": 4, "video": 0, "audio": 0},
            "disable_chunked_mm_input": True,
            "vision_programs": {"token_budgets": (280,), "images_per_call": 1},
        },
    ),
    Scenario(
        name="autoscaling",
        description="Replicas that come and go: the fewest programs to compile or to restore.",
        trade_off="Doubling buckets waste more padding than a gap does.",
        engine={"bucket_padding_gap": 0, "speculative": None},
    ),
    Scenario(
        name="cost-constrained",
        description="Text only, requests of up to 8,192 tokens.",
        trade_off="No images; longer requests are refused. The KV pool keeps its size: the limit saves "
        "no memory, it admits more requests of a known length.",
        engine={
            "max_model_len": 8192,
            "limit_mm_per_prompt": {"image": 0, "video": 0, "audio": 0},
            "vision_programs": None,
        },
    ),
    Scenario(
        name="most-tokens",
        description="The largest KV cache: experts and KV cache in 8 bits.",
        trade_off="Both lose precision that nobody has evaluated for this model: compare answers on your own "
        "evaluation before traffic. With cached values of 8 bits a decoding request computes blocks of more "
        "tokens, so this is for long contexts, not for many short requests.",
        engine={"moe_requantize_weight_dtype": "float8_e4m3fn", "kv_cache_dtype": "fp8_e5m2"},
    ),
)

DEFAULT_PHASE = "tuned"

PHASES: Mapping[str, Phase] = MappingProxyType({phase.name: phase for phase in _PHASES})
SCENARIOS: Mapping[str, Scenario] = MappingProxyType({row.name: row for row in _SCENARIOS})


def engine_for(phase: str, scenario: str | None, overrides: Mapping[str, object]) -> EngineConfig:
    """Returns the engine of a phase, with the fields of a scenario and single fields in place of its own.

    Raises ValueError, with one sentence a line, for unknown names and for values that no engine can have.
    """
    base = named_phase(phase).engine
    preset = {**base}
    if scenario is not None:
        preset |= _named(SCENARIOS, "scenario", scenario).engine
    tokens = overrides.get("image_tokens")
    if isinstance(tokens, int) and preset.get("vision_programs"):
        # The presets' vision program is for one image of the checkpoint's own size.
        preset["vision_programs"] = {"token_budgets": (tokens,), "images_per_call": 1}
    return parse({**preset, **overrides})


def named_phase(name: str) -> Phase:
    """Returns the phase of that name. Raises ValueError, with the names of all phases."""
    return _named(PHASES, "phase", name)


def _named[T](table: Mapping[str, T], kind: str, name: str) -> T:
    if name not in table:
        raise ValueError(unknown(kind, name, table))
    return table[name]
