"""Work of one step on one chip: arithmetic, HBM traffic and collectives of its padded shapes.

The server pads a step to a token bucket and its logits to a request bucket, and computes the padding. The
weights of a step are those of serving/memory/weights.py, each read once; of the experts, the expected share
that its tokens hit. Each chip multiplies its own shard, so the arithmetic of a token follows from the bytes:
two operations for each weight. tests/unit/planner/test_step_work.py compares it with the compiler's count in
the proofs.
"""

import bisect
from collections.abc import Sequence
from dataclasses import dataclass

from planner import attention_kernel
from planner.attention_kernel import Layer, Work
from serving.compilation.candidate import Candidate
from serving.compilation.resolved_config import image_tokens
from serving.memory.budget import IMAGE_MARKS
from serving.memory.weights import BF16, groups
from serving.models.spec import Experts

SMALL_GROUPS = ("attention", "MLP", "norms", "router", "per-layer projections")
"""Groups that every step reads as a whole."""

VISION_PROGRAM = "mm_encoder_jit"
"""Kind of the proofs' vision programs, whose shape is `budget=TOKENS`."""

COLLECTIVES_PER_LAYER = 2
"""Sums over the chips: after attention and after the MLP or the experts."""


@dataclass(frozen=True)
class Piece:
    """Part of one request in a step: `tokens` new ones after `cached` ones. `new` on its first step.

    `images` are encoded before the tokens are computed.
    """

    tokens: int
    cached: int
    new: bool = False
    images: int = 0


@dataclass(frozen=True)
class StepWork:
    """Work on one chip: of all matrices, of attention for requests that decode or prefill, and of images."""

    matrices: Work
    decode: Work
    prefill: Work
    images: Work
    exchanged_bytes: float
    """Bytes that a chip sends to others."""
    new_requests: int


@dataclass(frozen=True)
class Vision:
    """Vision programs of an engine: the compiler's count of each, by the tokens that one call encodes.

    Every image has `tokens`, the most that one of the engine has. A step encodes its images in calls of up to
    `images_per_call` (`_execute_local` of vLLM's encoder manager, which the TPU runtime inherits).
    """

    programs: tuple[tuple[int, Work], ...]
    tokens: int
    images_per_call: int

    def work(self, images: int) -> Work:
        """Returns the work of the calls that encode the images of a step."""
        largest, _ = self.programs[-1]
        together = min(self.images_per_call, largest // self.tokens)
        full, rest = divmod(images, together)
        return _sum([*[self._call(together)] * full, *([self._call(rest)] if rest else [])])

    def _call(self, images: int) -> Work:
        return next(work for tokens, work in self.programs if tokens >= images * self.tokens)


@dataclass(frozen=True)
class Shape:
    """Sizes of one engine on which the work of each step depends. Bytes are those of one chip."""

    token_buckets: tuple[int, ...]
    request_buckets: tuple[int, ...]
    layers: tuple[Layer, ...]
    small_bytes: int
    expert_bytes: int
    expert_flops_per_byte: float
    """Operations of one token for each byte of the experts of all layers."""
    experts: Experts | None
    logits_bytes: int
    exchanged_token_bytes: float
    longest: int
    page: int
    vision: Vision | None

    def work(self, pieces: Sequence[Piece]) -> StepWork:
        """Returns the work of one step."""
        tokens = sum(piece.tokens for piece in pieces)
        padded = padded_size(self.token_buckets, tokens)
        rows = padded_size(self.request_buckets, len(pieces))
        read = self.small_bytes + self.logits_bytes + self.expert_bytes * share_hit(self.experts, tokens)
        matrices = Work(
            flops=padded * (self.small_bytes + self.expert_bytes * self.expert_flops_per_byte)
            + rows * self.logits_bytes,
            bytes=read,
        )
        table = attention_kernel.decode_table(self.layers, self.longest, self.page)
        decoding = [table[piece.cached] for piece in pieces if piece.tokens == 1]
        prefilling = [
            attention_kernel.prefill(layer, piece.tokens, piece.cached)
            for piece in pieces
            if piece.tokens > 1
            for layer in self.layers
        ]
        return StepWork(
            matrices=matrices,
            decode=_sum(decoding),
            prefill=_sum(prefilling),
            images=self._images(sum(piece.images for piece in pieces)),
            exchanged_bytes=padded * self.exchanged_token_bytes,
            new_requests=sum(piece.new for piece in pieces),
        )

    def _images(self, count: int) -> Work:
        if not count:
            return Work(0, 0)
        if self.vision is None:
            raise ValueError("A step has images, and the shape has no vision program: give it a proof.")
        return self.vision.work(count)


def _sum(works: Sequence[Work]) -> Work:
    return Work(sum(work.flops for work in works), sum(work.bytes for work in works))


def padded_size(buckets: Sequence[int], size: int) -> int:
    """Returns the smallest bucket that holds `size`, or the largest bucket."""
    return buckets[min(bisect.bisect_left(buckets, size), len(buckets) - 1)]


def share_hit(experts: Experts | None, tokens: int) -> float:
    """Returns the expected share of a layer's experts that a step hits, all equally likely."""
    return 1 - (1 - experts.per_token / experts.count) ** tokens if experts else 0.0


def shape(candidate: Candidate) -> Shape:
    """Returns the shape of an engine on its slice.

    Raises ValueError for an engine whose programs are not modeled here, with one sentence.
    """
    model, engine, runtime = candidate.model, candidate.engine, candidate.runtime
    _refuse_unmodeled(candidate)
    chips = engine.tensor_parallel_size
    sizes = {group.name: group.bytes for group in groups(model, engine)}
    hidden = model.hidden * BF16
    return Shape(
        token_buckets=runtime.programs.buckets.tokens,
        request_buckets=runtime.programs.buckets.requests,
        layers=attention_kernel.layers(model, runtime.kv_bits, chips),
        small_bytes=sum(sizes.get(name, 0) for name in SMALL_GROUPS),
        expert_bytes=sizes.get("experts", 0),
        # Weights of one byte take twice the operations for each byte.
        expert_flops_per_byte=(
            model.experts.per_token / model.experts.count * (2 if engine.moe_requantize_weight_dtype else 1)
            if model.experts
            else 0.0
        ),
        experts=model.experts,
        logits_bytes=model.vocabulary * hidden // chips,
        # A ring sends each value twice, less the own part.
        exchanged_token_bytes=COLLECTIVES_PER_LAYER * model.layers * hidden * 2 * (chips - 1) / chips,
        longest=engine.max_model_len,
        page=runtime.block_size,
        vision=_vision(candidate),
    )


def prompt_tokens_of_image(candidate: Candidate) -> int:
    """Returns the tokens that an image adds to a prompt: its own at most, and its marks.

    (vllm/model_executor/models/gemma4_mm.py, `get_image_repl`)
    """
    return image_tokens(candidate.model, candidate.engine) + IMAGE_MARKS


def _vision(candidate: Candidate) -> Vision | None:
    """Returns the vision programs of the engine's proof; None without one that holds an image."""
    tokens = image_tokens(candidate.model, candidate.engine)
    if candidate.proof is None or candidate.engine.vision_programs is None:
        return None
    programs = sorted(
        (int(program.shape.removeprefix("budget=")), Work(program.flops, program.hbm_bytes))
        for program in candidate.proof.programs
        if program.kind == VISION_PROGRAM
    )
    if not programs or programs[-1][0] < tokens:
        return None
    return Vision(tuple(programs), tokens, candidate.engine.vision_programs.images_per_call)


def _refuse_unmodeled(candidate: Candidate) -> None:
    engine, slice_ = candidate.engine, candidate.accelerator
    if not slice_.bf16_flops or not slice_.hbm_bytes_per_second or slice_.generation != "v6e":
        raise ValueError(
            f"A simulation on {slice_.name} was asked for; the attention kernel and the peak rates are those"
            " of v6e: choose v6e-1, v6e-4 or v6e-8."
        )
    if candidate.runtime.code_path == "torchax":
        raise ValueError(
            f"A simulation of {candidate.model.name} through torchax was asked for, whose programs are not "
            "modeled: choose a model that runs as Gemma4ForConditionalGeneration or Gemma4ForCausalLM."
        )
    if engine.speculative is not None:
        raise ValueError(
            "A simulation with engine.speculative was asked for; how many drafts a model accepts depends on "
            "the text, which a simulation does not have: set engine.speculative to null."
        )
    if engine.use_batched_rpa_kernel:
        raise ValueError(
            "A simulation with engine.use_batched_rpa_kernel was asked for; only the default kernel of "
            "attention is modeled: set it to false."
        )
    if engine.enable_expert_parallel:
        raise ValueError(
            "A simulation with engine.enable_expert_parallel was asked for; only tensor parallel experts are "
            "modeled: set it to false."
        )
    if engine.qwix_rules:
        raise ValueError(
            "A simulation with engine.qwix_rules was asked for; the sizes of weights that Qwix quantizes are "
            "not modeled: remove it."
        )
    if engine.extra_flags.get("renderer_num_workers", 1) != 1:
        raise ValueError(
            "A simulation with engine.extra_flags.renderer_num_workers was asked for; only one thread that "
            "tokenizes prompts is modeled: remove it."
        )
