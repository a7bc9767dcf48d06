"""Rules about the code that runs the model, and its precision."""

from collections.abc import Iterator

from serving.compilation.candidate import Candidate, Rule
from serving.messages.finding import VERSION, Finding


def requantised_experts(candidate: Candidate) -> Iterator[Finding]:
    engine = candidate.engine
    if engine.moe_requantize_weight_dtype is None:
        if engine.moe_requantize_block_size is not None:
            yield candidate.finding(
                "note",
                "requantise-block-alone",
                "moe_requantize_block_size",
                "it does nothing without moe_requantize_weight_dtype",
                "remove it",
            )
    elif candidate.model.experts is None:
        yield candidate.finding(
            "note",
            "requantise-no-experts",
            "moe_requantize_weight_dtype",
            f"{candidate.model.name} has no experts",
            "remove it",
        )
    else:
        yield candidate.finding(
            "warning",
            "requantised-experts",
            "moe_requantize_weight_dtype",
            "the experts lose precision that nobody has measured for this model",
            "compare answers on your own evaluation before traffic",
        )


def architecture(candidate: Candidate) -> Iterator[Finding]:
    named = candidate.engine.architecture_override or candidate.model.architecture
    known = ("Gemma4ForConditionalGeneration", "Gemma4ForCausalLM")
    if named not in known:
        yield candidate.finding(
            "warning",
            "architecture-fallback",
            "architecture_override",
            f"{VERSION} has no JAX code for {named} and falls back to vLLM's PyTorch code, whose programs "
            f"and memory are not modelled here",
            "set architecture_override to Gemma4ForCausalLM to serve text with the JAX code",
            asked=""
            if candidate.engine.architecture_override
            else f"{candidate.model.name} declares {named}",
        )
    elif named == "Gemma4ForCausalLM" and candidate.runtime.multimodal:
        yield candidate.finding(
            "error",
            "text-architecture-with-images",
            "architecture_override",
            "that class has no vision tower, and limit_mm_per_prompt lets images in",
            "set every limit to 0, or remove the override",
        )


def model_code(candidate: Candidate) -> Iterator[Finding]:
    if candidate.engine.model_impl_type == "vllm":
        yield candidate.finding(
            "warning",
            "torchax",
            "model_impl_type",
            "upstream's CI notes call vLLM's PyTorch code slower for Gemma 4, with programs about 6 GiB "
            "larger than the JAX code's",
            "remove it: auto takes the JAX code",
        )
    if candidate.engine.load_format == "runai_streamer":
        yield candidate.finding(
            "warning",
            "streamer-changes-model-code",
            "load_format",
            "the streamer loads through vLLM's PyTorch code wherever the JAX class has no loader of its own",
            "remove it, and check the boot log if you keep it",
        )


def remote_code(candidate: Candidate) -> Iterator[Finding]:
    if candidate.engine.trust_remote_code:
        yield candidate.finding(
            "warning",
            "remote-code",
            "trust_remote_code",
            "Gemma 4 is built into vLLM, so this only lets a changed checkpoint run its own Python",
            "remove it",
        )


def qwix(candidate: Candidate) -> Iterator[Finding]:
    if candidate.engine.qwix_rules is None:
        return
    asked = "engine.qwix_rules is set"
    if candidate.engine.model_impl_type == "vllm":
        yield candidate.finding(
            "error",
            "qwix-without-jax-model",
            "qwix_rules",
            f"{VERSION} applies them to JAX models only (tpu_inference/models/common/model_loader.py)",
            "remove them, or remove model_impl_type",
            asked=asked,
        )
    else:
        yield candidate.finding(
            "warning",
            "qwix-not-measured",
            "qwix_rules",
            "the memory model counts the weights as the checkpoint has them, and nobody has measured memory "
            "or answers of this model with Qwix",
            "watch the first boot's memory and compare answers on your own evaluation before traffic",
            asked=asked,
        )


RULES: tuple[Rule, ...] = (
    requantised_experts,
    architecture,
    model_code,
    remote_code,
    qwix,
)
