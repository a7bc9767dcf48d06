"""HBM that the weights take on each chip, group by group, after tpu-inference's padding and sharding.

Shapes and shardings are those of tpu_inference 0.32.0 (models/jax/gemma4.py and gemma4_mm.py,
layers/common/process_weights/moe_weights.py). Traced through the real loader with the published
configuration, gemma-4-26B-A4B-it at tensor parallel 4 takes 16,416,125,084 bytes on each chip. A boot on a
real v6e-4 logged 15.29 GiB. The published boots of E2B, E4B, 31B and of the 12B's text model agree as well.
Weights that PyTorch code loads through torchax are not modeled: their size is that of a measured boot
(serving/memory/measured_boots.py), or the checkpoint's, spread evenly over the chips.
"""

from dataclasses import dataclass

from serving.compilation.resolved_config import code_path
from serving.engine.config import EngineConfig
from serving.memory import measured_boots
from serving.memory.kv_cache import Indivisible
from serving.models.spec import Experts, ModelSpec, NotStated

BF16 = 2
F32 = 4

LANES = 128
"""The grouped matmul needs each shard of an expert's width to be a multiple of this."""


@dataclass(frozen=True)
class Group:
    """Weights of one kind on one chip.

    `padding_bytes` are the bytes beyond an even share of the checkpoint: padding to the kernel's shapes, and
    copies that every chip holds. `basis` is exact (as the loader lays them out), compiled
    (with its date), scaled or measured (with code path and version).
    """

    name: str
    bytes: int
    padding_bytes: int
    basis: str


def groups(model: ModelSpec, engine: EngineConfig) -> tuple[Group, ...]:
    """Returns the groups, largest first.

    Raises ValueError when a width does not divide by the chips, and NotStated when the vision tower is needed
    and no source states its size.
    """
    chips = engine.tensor_parallel_size
    match code_path(model, engine):
        case "torchax":
            weights = _by_total(model, chips)
        case "Gemma4ForCausalLM":
            weights = _text(model, engine)
        case "Gemma4ForConditionalGeneration":
            if model.vision_bytes is None:
                raise NotStated(f"no public source states the size of the vision tower of {model.name}")
            tower = _group("vision", *model.vision_bytes, chips, sum(model.vision_bytes))
            weights = [*_text(model, engine), tower]
    return tuple(sorted(weights, key=lambda group: -group.bytes))


def _group(name: str, sharded: int, replicated: int, chips: int, checkpoint: int) -> Group:
    on_chip = sharded // chips + replicated
    return Group(name, on_chip, on_chip - checkpoint // chips, "exact")


def _text(model: ModelSpec, engine: EngineConfig) -> list[Group]:
    chips = engine.tensor_parallel_size
    hidden, layers = model.hidden, model.layers
    heads, dense = model.query_heads, model.dense_intermediate
    full = layers // model.full_attention_period
    sliding = layers - full

    # One head's width in q, o and k, and in v if the checkpoint has v. Layers that read another layer's
    # cache have all four, too.
    values = 0 if model.key_equals_value else model.kv_heads_full
    projections = sliding * model.head_dim_sliding * (2 * heads + 2 * model.kv_heads_sliding)
    projections += full * model.head_dim_full * (2 * heads + model.kv_heads_full + values)
    head_norms = 2 * (sliding * model.head_dim_sliding + full * model.head_dim_full) * BF16
    attention = projections * hidden * BF16

    # Input, post-attention, pre- and post-MLP; three more with experts; one scalar per layer.
    norms = (layers * (7 if model.experts else 4) * hidden + hidden + layers) * BF16
    width = layers * model.per_layer_embedding
    embedding = model.vocabulary * (hidden + width) * BF16
    mlp = 3 * hidden * dense * (layers + model.double_wide_mlp * model.kv_shared_layers) * BF16
    weights = [
        _group("attention", attention, head_norms, chips, attention + head_norms),
        _group("embedding", embedding, 0, chips, embedding),
        _group("MLP", mlp, 0, chips, mlp),
        _group("norms", 0, norms, chips, norms),
    ]
    if width:
        # Per layer the gate and the projection of its embedding with a norm, and the projection into all.
        copied = (3 * width * hidden + layers * hidden + model.per_layer_embedding) * BF16
        weights.append(_group("per-layer projections", 0, copied, chips, copied))
    if model.experts:
        router = layers * (model.experts.count * (hidden + 1) + hidden) * BF16
        size = 1 if engine.moe_requantize_weight_dtype else BF16
        raw = layers * 3 * model.experts.count * model.experts.intermediate * hidden * size
        on_chip = layers * expert_bytes(model.experts, hidden, engine)
        weights.append(_group("router", 0, router, chips, router))
        weights.append(Group("experts", on_chip, on_chip - raw // chips, "exact"))
    return weights


def expert_bytes(experts: Experts, hidden: int, engine: EngineConfig) -> int:
    """Returns the bytes of one layer's experts on one chip, as the grouped matmul stores them.

    Tensor parallel slices every expert and pads each slice of the gate and up projections to a multiple of
    128. Expert parallel keeps experts whole and pads their width once. Requantized weights have one byte,
    with one float32 scale per channel, or per block of `moe_requantize_block_size` inputs. Raises ValueError
    when a size does not divide by the chips.
    """
    chips = engine.tensor_parallel_size
    whole = bool(engine.enable_expert_parallel) and chips > 1
    width, size = experts.intermediate, BF16
    in_blocks = out_blocks = 1
    if engine.moe_requantize_weight_dtype:
        size = 1
        if block := engine.moe_requantize_block_size:
            # For sliced experts the loader caps the block by the hidden size (it reads `w2_weight.shape[1]`).
            out_block = min(block, width if whole else min(width, hidden // chips))
            hidden = -(-hidden // block) * block
            width = -(-width // out_block) * out_block
            in_blocks, out_blocks = hidden // block, width // out_block
    if whole:
        _must_divide(chips, "experts", experts.count)
        local, shard = experts.count // chips, width
    else:
        _must_divide(chips, "an expert's width", width)
        local, shard = experts.count, width // chips
        if out_blocks > 1:
            _must_divide(chips, "the requantization blocks of an expert", out_blocks)
            out_blocks //= chips
    padded = -(-shard // LANES) * LANES
    weights = local * hidden * (2 * padded + shard)
    # Scales per channel cannot be split along the inputs of the down projection: every chip holds them all.
    scales = local * (in_blocks * 2 * padded + out_blocks * hidden) if size == 1 else 0
    return weights * size + scales * F32


def _must_divide(chips: int, what: str, number: int) -> None:
    if number % chips:
        raise Indivisible(chips, f"it does not divide {what}, {number}")


def _by_total(model: ModelSpec, chips: int) -> list[Group]:
    boot = measured_boots.boot(model.name, "torchax", chips)
    if boot is not None:
        return [Group("all weights", boot.resident_bytes, 0, f"measured (torchax, {boot.version})")]
    # A boot on one chip is more than the files, because the loader copies.
    on_one_chip = measured_boots.boot(model.name, "torchax", 1)
    total = on_one_chip.resident_bytes if on_one_chip else model.weight_bytes
    return [Group("all weights", total // chips, 0, "scaled")]
