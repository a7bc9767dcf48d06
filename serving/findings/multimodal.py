"""Rules about images, video and audio."""

from collections.abc import Iterator

from serving.compilation.candidate import Candidate, Rule
from serving.compilation.resolved_config import image_tokens
from serving.memory.budget import min_batched_tokens
from serving.messages.finding import VERSION, Finding


def unlimited(candidate: Candidate) -> Iterator[Finding]:
    if candidate.model.takes_images and candidate.engine.limit_mm_per_prompt is None:
        yield candidate.finding(
            "error",
            "media-unlimited",
            "limit_mm_per_prompt",
            "vLLM then admits 999 items of each kind, videos among them, which the TPU runtime cannot run",
            "set it, for example to {image: 4, video: 0, audio: 0}",
            asked="engine.limit_mm_per_prompt is not set",
        )


def video(candidate: Candidate) -> Iterator[Finding]:
    limits = candidate.engine.limit_mm_per_prompt
    if limits and limits.video:
        yield candidate.finding(
            "error",
            "video",
            "limit_mm_per_prompt",
            f"{VERSION} raises 'Video not yet supported' on Gemma 4, and the engine ends with it",
            "set video to 0 and send frames as images",
            asked=f"engine.limit_mm_per_prompt.video is {limits.video}",
        )


def audio(candidate: Candidate) -> Iterator[Finding]:
    limits = candidate.engine.limit_mm_per_prompt
    if not limits or not limits.audio:
        return
    asked = f"engine.limit_mm_per_prompt.audio is {limits.audio}"
    if "audio" in candidate.model.modalities:
        yield candidate.finding(
            "error",
            "audio-not-loaded",
            "limit_mm_per_prompt",
            f"{candidate.model.name} takes audio, but {VERSION} does not load its audio tower on TPU",
            "set audio to 0",
            asked=asked,
        )
    else:
        yield candidate.finding(
            "warning",
            "no-audio-tower",
            "limit_mm_per_prompt",
            f"{candidate.model.name} has no audio tower, and every request with audio is refused",
            "set audio to 0",
            asked=asked,
        )


def chunked_input(candidate: Candidate) -> Iterator[Finding]:
    if candidate.runtime.multimodal and not candidate.engine.disable_chunked_mm_input:
        yield candidate.finding(
            "error",
            "chunked-images",
            "disable_chunked_mm_input",
            "the TPU runtime cannot split an image over two steps and warns of execution failures",
            "set it to true, or set every limit of limit_mm_per_prompt to 0",
            asked="engine.disable_chunked_mm_input is not set while images are let in",
        )


def item_larger_than_step(candidate: Candidate) -> Iterator[Finding]:
    limits = candidate.engine.limit_mm_per_prompt
    videos = limits is None or limits.video > 0
    item = min_batched_tokens(candidate.model, candidate.engine)
    if item > candidate.engine.max_num_batched_tokens:
        yield candidate.finding(
            "error",
            "item-larger-than-step",
            "max_num_batched_tokens",
            f"one {'video' if videos else 'image'} may take {item:,} tokens and cannot be split, so vLLM "
            f"refuses to boot",
            f"raise it to {item:,} or more",
        )


def first_image(candidate: Candidate) -> Iterator[Finding]:
    if candidate.runtime.multimodal and candidate.engine.vision_programs is None:
        yield candidate.finding(
            "warning",
            "first-image-compiles",
            "vision_programs",
            "the vision tower is compiled by the first request with an image, while all others wait",
            "set vision_programs, or send one image before traffic",
            asked="engine.vision_programs is not set while images are let in",
        )
    if candidate.engine.vision_programs is not None and not candidate.runtime.multimodal:
        yield candidate.finding(
            "error",
            "vision-programs-without-images",
            "vision_programs",
            "no image is let in, so there is no vision tower to compile",
            "remove it",
            asked="engine.vision_programs is set",
        )


def vision_budgets(candidate: Candidate) -> Iterator[Finding]:
    programs = candidate.engine.vision_programs
    if programs is None or not candidate.runtime.multimodal:
        return
    item = image_tokens(candidate.model, candidate.engine)
    if min(programs.token_budgets) < item:
        yield candidate.finding(
            "error",
            "vision-budget-too-small",
            "vision_programs",
            f"an image may take {item} tokens",
            f"raise every budget to {item} or more",
            asked=f"engine.vision_programs.token_budgets has {min(programs.token_budgets)}",
        )
    together = min(max(programs.token_budgets) // item, programs.images_per_call)
    # Compiled for v6e:2x2 at tensor parallel 4 with budgets of two, three and four images (docs/claims.md).
    if together > 1 and candidate.engine.tensor_parallel_size == 4 and not candidate.accelerator.is_stand_in:
        yield candidate.finding(
            "error",
            "vision-batch-refused",
            "vision_programs",
            "with vllm-tpu 0.32 the compiler of v6e refuses the vision tower for more than one image at once",
            f"set token_budgets to [{item}] and images_per_call to 1: each image is then a call",
            asked=f"engine.vision_programs encodes up to {together} images in one call",
        )


def domains_without_media(candidate: Candidate) -> Iterator[Finding]:
    if candidate.engine.allowed_media_domains and not candidate.runtime.multimodal:
        yield candidate.finding(
            "error",
            "media-domains-without-media",
            "allowed_media_domains",
            "no image is let in, so nothing is fetched",
            "remove it, or allow images in limit_mm_per_prompt",
            asked="engine.allowed_media_domains is set",
        )


def image_size(candidate: Candidate) -> Iterator[Finding]:
    tokens = candidate.engine.image_tokens
    if tokens is None:
        return
    if not candidate.runtime.multimodal:
        yield candidate.finding(
            "error",
            "image-tokens-without-images",
            "image_tokens",
            "no image is let in, so no image has a size",
            "remove it, or allow images in limit_mm_per_prompt",
        )
    elif tokens != candidate.model.tokens_per_image and candidate.proof is None:
        yield candidate.finding(
            "warning",
            "image-tokens-not-compiled",
            "image_tokens",
            f"the vision program was compiled for {candidate.model.tokens_per_image} tokens only, and the "
            "memory model counts that one",
            "prove this engine (make prove) before a stack relies on it",
        )


RULES: tuple[Rule, ...] = (
    unlimited,
    video,
    audio,
    chunked_input,
    item_larger_than_step,
    first_image,
    vision_budgets,
    domains_without_media,
    image_size,
)
