"""Rules about the code that runs the model, and its precision."""

from collections.abc import Iterator

from serving.compilation.candidate import Candidate, Rule
from serving.engine.layers import Change
from serving.findings.multimodal import without_images
from serving.messages.finding import VERSION, Finding

TEXT_ARCHITECTURE = "Gemma4ForCausalLM"

NOT_MODELED = "programs and memory are not modeled here, so nothing is said about whether it fits"


def requantized_experts(candidate: Candidate) -> Iterator[Finding]:
    """Reports experts that are requantized while they are loaded.

    tpu_inference/layers/common/process_weights/moe_weights.py reads both variables, the block size only
    beside the type.
    """
    engine = candidate.engine
    off = {
        f"engine.{name}": None
        for name in ("moe_requantize_weight_dtype", "moe_requantize_block_size")
        if getattr(engine, name) is not None
    }
    if engine.moe_requantize_weight_dtype is None:
        if engine.moe_requantize_block_size is not None:
            yield candidate.finding(
                "note",
                "requantize-block-without-type",
                "moe_requantize_block_size",
                "it does nothing without moe_requantize_weight_dtype",
                off,
            )
    elif candidate.model.experts is None:
        yield candidate.finding(
            "note",
            "requantize-no-experts",
            "moe_requantize_weight_dtype",
            f"{candidate.model.name} has no experts",
            off,
        )
    else:
        yield candidate.finding(
            "warning",
            "requantized-experts",
            "moe_requantize_weight_dtype",
            "the experts lose precision that nobody has measured for this model",
            off,
            otherwise="compare answers on your own evaluation before traffic",
        )


def architecture(candidate: Candidate) -> Iterator[Finding]:
    """Reports an architecture without JAX code.

    tpu_inference/models/common/model_loader.py, `_get_model_architecture` and `get_model`. The class
    Gemma4ForCausalLM of tpu_inference/models/jax/gemma4.py has no vision tower.
    """
    override, path = candidate.engine.architecture_override, candidate.runtime.code_path
    named = override or candidate.model.architecture
    if path == "torchax" and candidate.engine.model_impl_type != "vllm":
        yield candidate.finding(
            "warning",
            "architecture-fallback",
            "architecture_override",
            f"{VERSION} has no JAX code for {named} and falls back to vLLM's PyTorch code, whose "
            f"{NOT_MODELED}",
            {"engine.architecture_override": TEXT_ARCHITECTURE, **without_images(candidate)},
            asked="" if override else f"{candidate.model.name} declares {named}",
        )
    elif path == TEXT_ARCHITECTURE and candidate.runtime.multimodal:
        yield candidate.finding(
            "error",
            "text-architecture-with-images",
            "architecture_override",
            "that class has no vision tower, and limit_mm_per_prompt lets images in",
            without_images(candidate),
            {"engine.architecture_override": None},
        )


def model_code(candidate: Candidate) -> Iterator[Finding]:
    """Reports the choice of vLLM's PyTorch code.

    That it is slower and its programs larger is from the notes of the CI for Gemma 4
    (github.com/vllm-project/tpu-inference, .buildkite/models/google_gemma-4-26B-A4B-it.yml).
    """
    if candidate.engine.model_impl_type == "vllm":
        yield candidate.finding(
            "warning",
            "torchax",
            "model_impl_type",
            "upstream's CI notes call vLLM's PyTorch code slower for Gemma 4, with programs about 6 GiB "
            f"larger than the JAX code's, and its {NOT_MODELED}",
            {"engine.model_impl_type": None},
        )


def remote_code(candidate: Candidate) -> Iterator[Finding]:
    """Reports that Python code beside the weights may run.

    vLLM has classes of its own for Gemma 4 (vllm/model_executor/models/registry.py).
    """
    if candidate.engine.trust_remote_code:
        yield candidate.finding(
            "warning",
            "remote-code",
            "trust_remote_code",
            "Gemma 4 is built into vLLM, so this only lets a changed checkpoint run its own Python",
            {"engine.trust_remote_code": None},
        )


def qwix(candidate: Candidate) -> Iterator[Finding]:
    """Reports Qwix rules (tpu_inference/models/common/model_loader.py applies them to JAX models only)."""
    if candidate.engine.qwix_rules is None:
        return
    unset: Change = {"engine.qwix_rules": None}
    asked = "engine.qwix_rules is set"
    if candidate.engine.model_impl_type == "vllm":
        yield candidate.finding(
            "error",
            "qwix-without-jax-model",
            "qwix_rules",
            f"{VERSION} applies them to JAX models only",
            unset,
            {"engine.model_impl_type": None},
            asked=asked,
        )
    else:
        yield candidate.finding(
            "warning",
            "qwix-not-measured",
            "qwix_rules",
            "the memory model counts the weights as the checkpoint has them, and nobody has measured memory "
            "or answers of this model with Qwix",
            unset,
            otherwise="watch the first boot's memory and compare answers on your own evaluation before "
            "traffic",
            asked=asked,
        )


RULES: tuple[Rule, ...] = (
    requantized_experts,
    architecture,
    model_code,
    remote_code,
    qwix,
)
