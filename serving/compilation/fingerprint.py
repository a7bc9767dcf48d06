"""Name of a compile cache. It changes when a boot would need programs that the cache does not have.

JAX keys a compiled program by its computation (so by every shape in it), the compiler's versions, the
devices and the XLA flags. So the fingerprint has the image, the model, the slice, and those engine fields
that shape programs or decide which programs are needed. It has their resolved values, not the flags: an unset
block_size and the size that the server would choose give the same name. The number of images per request,
prefix caching and the load strategy do not change it.

Boots of vllm-tpu 0.32.0 on JAX's CPU backend with a filled cache agree. A length within the last page, prefix
caching off, another load strategy, and fp8_e4m3 after fp8 add no entry. Another gpu_memory_utilization
compiles the whole-model programs again, or nothing when num_gpu_blocks_override is set. Another type of
cached values compiles them again.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from serving.compilation.candidate import Candidate
from serving.engine.config import EngineConfig
from serving.engine.extra_flags import program_flags

# Prefixes of variables on which no program depends; every other variable of extra_environment counts.
_INERT_PREFIXES = (
    "GOMP_",
    "GRPC_",
    "HF_",
    "MALLOC_",
    "OMP_",
    "OTEL_",
    "RAYON_",
    "RUST_",
    "TOKENIZERS_",
    "JAX_LOG",
    "JAX_EXPLAIN",
    "TPU_STDERR",
    "TPU_MIN_LOG",
    "TF_CPP",
    "VLLM_LOG",
    "VLLM_NO_USAGE",
)

_JAX_LEAVES_OUT = {"cache_min_compile_seconds": 1.0, "cache_min_entry_bytes": 0}
"""Fields that decide which programs get an entry, with JAX's default for a null
(jax/_src/config.py, jax_persistent_cache_min_...)."""

_OUTSIDE_THE_GRAPH = ("image", "revision", *_JAX_LEAVES_OUT)


@dataclass(frozen=True)
class Fingerprint:
    """Fields that decide the programs in a compile cache, as text."""

    fields: Mapping[str, str]

    @property
    def digest(self) -> str:
        """Name of the cache: 16 hexadecimal digits of a hash of all fields."""
        return _digest(self.fields.items())

    @property
    def graph_digest(self) -> str:
        """Name of a proof: without image, revision and the fields that leave programs out of a cache.

        The proof has the versions with which it was compiled.
        """
        return _digest((name, text) for name, text in self.fields.items() if name not in _OUTSIDE_THE_GRAPH)


def _digest(fields: Iterable[tuple[str, str]]) -> str:
    text = json.dumps(dict(fields), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fingerprint(candidate: Candidate, *, image: str) -> Fingerprint:
    """Returns the fingerprint of this server. `image` is a reference by digest, because a tag can move."""
    accelerator, model, engine = candidate.accelerator, candidate.model, candidate.engine
    runtime = candidate.runtime
    buckets = runtime.programs.buckets
    speculative = engine.speculative
    pages = (
        f"{engine.gpu_memory_utilization:g} of HBM"
        if engine.num_gpu_blocks_override is None
        else f"{engine.num_gpu_blocks_override} pages"
    )
    values: dict[str, object] = {
        "image": image,
        "model": model.name,
        "revision": model.revision or "",
        "accelerator": f"{accelerator.generation} {accelerator.gke_topology}",
        "tensor_parallel_size": engine.tensor_parallel_size,
        "enable_expert_parallel": bool(engine.enable_expert_parallel),
        "model_impl_type": engine.model_impl_type or "auto",
        "architecture_override": engine.architecture_override or "",
        "kv_cache_dtype": _stored(engine.kv_cache_dtype),
        "kv_cache_pages": pages,
        "block_size": runtime.block_size,
        "pages_per_request": runtime.blocks_per_request,
        "max_num_seqs": engine.max_num_seqs,
        "token_buckets": buckets.tokens,
        "attention_buckets": buckets.attention,
        "speculative": f"{speculative.method} {speculative.num_speculative_tokens} " if speculative else "",
        "async_scheduling": runtime.async_scheduling,
        "images": runtime.multimodal,
        "vision_programs": engine.vision_programs.model_dump_json()
        if engine.vision_programs and runtime.multimodal
        else "",
        "sampling_microbatch_size": engine.sampling_microbatch_size or 0,
        "use_batched_rpa_kernel": bool(engine.use_batched_rpa_kernel),
        "moe_requantize": engine.moe_requantize_weight_dtype or "",
        "moe_requantize_block_size": engine.moe_requantize_block_size or "",
        "extra_environment": json.dumps(
            {
                name: value
                for name, value in sorted(engine.extra_environment.items())
                if not name.startswith(_INERT_PREFIXES)
            }
        ),
        **_left_out(engine),
        **_later_fields(engine),
    }
    return Fingerprint(MappingProxyType({name: _text(value) for name, value in values.items()}))


def _left_out(engine: EngineConfig) -> dict[str, object]:
    """Returns the fields that leave programs out of the cache, where they differ from the default.

    A cache without these programs must not have the name of a whole cache, because no server replaces it.
    """
    fields: dict[str, object] = {}
    for name, jax in _JAX_LEAVES_OUT.items():
        value: float | None = getattr(engine, name)
        if value != EngineConfig.model_fields[name].default:
            fields[name] = jax if value is None else value
    return fields


def _later_fields(engine: EngineConfig) -> dict[str, object]:
    """Returns the fields that came after the first caches and proofs, where they are set.

    An unset field adds nothing, so that a cache or proof from before the field was added keeps its name.
    """
    rules = [rule.model_dump(exclude_none=True) for rule in engine.qwix_rules or ()]
    flags = program_flags(engine.extra_flags)
    values: dict[str, object] = {
        "image_tokens": engine.image_tokens,
        "max_logprobs": engine.max_logprobs,
        "qwix_rules": json.dumps(rules) if rules else None,
        "extra_flags": json.dumps(flags) if flags else None,
    }
    return {name: value for name, value in values.items() if value is not None}


def moved(before: Fingerprint, after: Fingerprint) -> tuple[str, ...]:
    """Returns the names of the fields that differ, in order; none if one cache serves both."""
    names = dict.fromkeys([*after.fields, *before.fields])
    return tuple(name for name in names if before.fields.get(name) != after.fields.get(name))


def _stored(kv_cache_dtype: str | None) -> str:
    """Returns the type that the JAX path stores. There plain fp8 means e4m3, despite the platform's log."""
    return {"fp8": "fp8_e4m3", "auto": "bfloat16"}.get(kv_cache_dtype or "auto", kv_cache_dtype or "")


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(str(item) for item in value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return str(value)
