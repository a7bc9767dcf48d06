"""Rules about images, video and audio."""

from collections.abc import Iterator

from serving.compilation.candidate import Candidate, Rule
from serving.compilation.resolved_config import image_tokens
from serving.engine.layers import Change
from serving.engine.nested_options import MultimodalLimits
from serving.memory.budget import min_batched_tokens
from serving.messages.finding import VERSION, Finding

LIMITS = "engine.limit_mm_per_prompt"


def without_images(candidate: Candidate) -> Change:
    """Returns the change that lets no image, video or audio in."""
    none: Change = {LIMITS: {"image": 0, "video": 0, "audio": 0}}
    return {**none, "engine.vision_programs": None} if candidate.engine.vision_programs else none


def one_image(candidate: Candidate) -> Change:
    """Returns the change to one vision program, for one image in each call."""
    budgets = [image_tokens(candidate.model, candidate.engine)]
    return {"engine.vision_programs": {"token_budgets": budgets, "images_per_call": 1}}


def _without(limits: MultimodalLimits, kind: str) -> Change:
    return {LIMITS: {**limits.model_dump(), kind: 0}}


def unlimited(candidate: Candidate) -> Iterator[Finding]:
    """Refuses limits that are left to vLLM (vllm/config/multimodal.py, `get_limit_per_prompt`)."""
    if candidate.model.takes_images and candidate.engine.limit_mm_per_prompt is None:
        yield candidate.finding(
            "error",
            "media-unlimited",
            "limit_mm_per_prompt",
            "vLLM then admits 999 items of each kind, videos among them, which the TPU runtime cannot run",
            {LIMITS: {"image": 4, "video": 0, "audio": 0}},
            asked="engine.limit_mm_per_prompt is not set",
        )


def video(candidate: Candidate) -> Iterator[Finding]:
    """Refuses video (tpu_inference/models/jax/gemma4_mm.py, "Video not yet supported.")."""
    limits = candidate.engine.limit_mm_per_prompt
    if limits and limits.video:
        yield candidate.finding(
            "error",
            "video",
            "limit_mm_per_prompt",
            f"{VERSION} raises 'Video not yet supported' on Gemma 4, and the engine ends with it",
            _without(limits, "video"),
            asked=f"engine.limit_mm_per_prompt.video is {limits.video}",
        )


def audio(candidate: Candidate) -> Iterator[Finding]:
    """Refuses audio: tpu_inference/models/jax/gemma4_mm.py loads no audio tower.

    Requests with audio for a model without one are refused by vllm/multimodal/processing/context.py,
    `validate_num_items`.
    """
    limits = candidate.engine.limit_mm_per_prompt
    if not limits or not limits.audio:
        return
    has_tower = "audio" in candidate.model.modalities
    yield candidate.finding(
        "error" if has_tower else "warning",
        "audio-not-loaded" if has_tower else "no-audio-tower",
        "limit_mm_per_prompt",
        f"{candidate.model.name} takes audio, but {VERSION} does not load its audio tower on TPU"
        if has_tower
        else f"{candidate.model.name} has no audio tower, and every request with audio is refused",
        _without(limits, "audio"),
        asked=f"engine.limit_mm_per_prompt.audio is {limits.audio}",
    )


def chunked_input(candidate: Candidate) -> Iterator[Finding]:
    """Refuses images that may be split (tpu_inference/platforms/tpu_platform.py,
    `check_and_update_config`)."""
    if candidate.runtime.multimodal and not candidate.engine.disable_chunked_mm_input:
        yield candidate.finding(
            "error",
            "chunked-images",
            "disable_chunked_mm_input",
            "the TPU runtime cannot split an image over two steps and warns of execution failures",
            {"engine.disable_chunked_mm_input": True},
            without_images(candidate),
            asked="engine.disable_chunked_mm_input is not set while images are let in",
        )


def item_larger_than_step(candidate: Candidate) -> Iterator[Finding]:
    """Refuses items that fit no step (vllm/v1/core/encoder_cache_manager.py, `compute_mm_encoder_budget`, and
    vllm/v1/core/sched/scheduler.py, `_try_schedule_encoder_inputs`)."""
    limits = candidate.engine.limit_mm_per_prompt
    videos = limits is None or limits.video > 0
    item = min_batched_tokens(candidate.model, candidate.engine)
    step = candidate.engine.max_num_batched_tokens
    boots = not videos and step >= image_tokens(candidate.model, candidate.engine)
    if item > step:
        yield candidate.finding(
            "error",
            "item-larger-than-step",
            "max_num_batched_tokens",
            f"one {'video' if videos else 'image'} may take {item:,} tokens and cannot be split, so vLLM "
            f"{'never processes it' if boots else 'refuses to boot'}",
            {"engine.max_num_batched_tokens": item},
        )


def first_image(candidate: Candidate) -> Iterator[Finding]:
    """Reports vision programs that are missing or useless.

    tpu_inference/runner/mm_encoder_jit_manager.py compiles them at boot; without them the first call does.
    """
    if candidate.runtime.multimodal and candidate.engine.vision_programs is None:
        yield candidate.finding(
            "warning",
            "first-image-compiles",
            "vision_programs",
            "the vision tower is compiled by the first request with an image, while all others wait",
            one_image(candidate),
            otherwise="send one image before traffic",
            asked="engine.vision_programs is not set while images are let in",
        )
    if candidate.engine.vision_programs is not None and not candidate.runtime.multimodal:
        yield candidate.finding(
            "error",
            "vision-programs-without-images",
            "vision_programs",
            "no image is let in, so there is no vision tower to compile",
            {"engine.vision_programs": None},
            asked="engine.vision_programs is set",
        )


def vision_budgets(candidate: Candidate) -> Iterator[Finding]:
    """Refuses budgets below an image, and more images in a call than the compiler takes.

    The first is tpu_inference/runner/mm_encoder_jit_manager.py's. The second was compiled for v6e:2x2 at
    tensor parallel 4 with budgets of two, three and four images (docs/claims.md).
    """
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
            one_image(candidate),
            asked=f"engine.vision_programs.token_budgets has {min(programs.token_budgets)}",
        )
    together = min(max(programs.token_budgets) // item, programs.images_per_call)
    if together > 1 and candidate.engine.tensor_parallel_size == 4 and not candidate.accelerator.is_stand_in:
        yield candidate.finding(
            "error",
            "vision-batch-refused",
            "vision_programs",
            f"with {VERSION} the compiler of v6e refuses the vision tower for more than one image at once",
            one_image(candidate),
            asked=f"engine.vision_programs encodes up to {together} images in one call",
        )


def domains_without_media(candidate: Candidate) -> Iterator[Finding]:
    """Refuses domains from which nothing can be fetched (vllm/multimodal/media/connector.py,
    `MediaConnector`)."""
    if candidate.engine.allowed_media_domains and not candidate.runtime.multimodal:
        yield candidate.finding(
            "error",
            "media-domains-without-media",
            "allowed_media_domains",
            "no image is let in, so nothing is fetched",
            {"engine.allowed_media_domains": None},
            {LIMITS: {"image": 4, "video": 0, "audio": 0}},
            asked="engine.allowed_media_domains is set",
        )


def image_size(candidate: Candidate) -> Iterator[Finding]:
    """Reports a size of images that is useless or not compiled.

    The sizes are those of the image processor of Gemma 4 (vllm/model_executor/models/gemma4_mm.py).
    """
    tokens = candidate.engine.image_tokens
    unset: Change = {"engine.image_tokens": None}
    if tokens is None:
        return
    if not candidate.runtime.multimodal:
        yield candidate.finding(
            "error",
            "image-tokens-without-images",
            "image_tokens",
            "no image is let in, so no image has a size",
            unset,
        )
    elif tokens != candidate.model.tokens_per_image and candidate.proof is None:
        yield candidate.finding(
            "warning",
            "image-tokens-not-compiled",
            "image_tokens",
            f"the vision program was compiled for {candidate.model.tokens_per_image} tokens only, and the "
            "memory model counts that one",
            unset,
            otherwise="prove this engine with `make prove` before a stack relies on it",
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
