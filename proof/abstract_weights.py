"""The model without its weights: the shapes and shardings of everything that the loader puts on the slice.

Replaces `tpu_inference.models.common.model_loader._get_nnx_model`, which reads the checkpoint. The
replacement does the same steps on shapes: it runs the library's constructor under `nnx.eval_shape`, reads its
sharding metadata, and traces its processing of the experts' weights.
"""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from tpu_inference.layers.common.moe import MoEBackend
from tpu_inference.layers.common.process_weights import moe_weights
from tpu_inference.layers.jax.moe.moe import JaxRoutedExperts

from proof.environment import ProofError


def abstract_model(model_class: Any, config: Any, rng: Any, mesh: Mesh, **_: Any) -> Any:
    """Returns an nnx model whose parameters are jax.ShapeDtypeStruct, as they are after loading."""
    with jax.set_mesh(mesh):
        model = nnx.eval_shape(lambda: model_class(config, rng, mesh), graph_updates=False)
        for _, parameter in model.named_parameters():
            value = parameter.get_value()
            sharding = parameter.get_metadata().get("out_sharding", ())
            parameter.set_value(_loaded(value, sharding, mesh))
        for experts in _routed(model):
            _process(experts, mesh)
    return model


def _loaded(value: Any, sharding: Any, mesh: Mesh) -> jax.ShapeDtypeStruct:
    """Returns the shape, type and sharding of a parameter after loading.

    The type is the checkpoint's, which is bf16 even where the model declares float32 (`router.proj`). The
    sharding is that of the model's metadata.
    """
    if isinstance(sharding, NamedSharding):
        sharding = sharding.spec
    if not isinstance(sharding, PartitionSpec):
        sharding = PartitionSpec(*(sharding or ()))
    kind = jnp.dtype(jnp.bfloat16) if value.dtype == jnp.float32 else value.dtype
    return jax.ShapeDtypeStruct(value.shape, kind, sharding=NamedSharding(mesh, sharding))


def _routed(module: Any) -> Iterator[JaxRoutedExperts]:
    if isinstance(module, JaxRoutedExperts):
        yield module
    elif hasattr(module, "named_children"):
        for _, child in module.named_children():
            yield from _routed(child)
    elif isinstance(module, (list, tuple)):
        for child in module:
            yield from _routed(child)


def _process(experts: JaxRoutedExperts, mesh: Mesh) -> None:
    """Replaces the experts' parameters by those after loading.

    Follows `process_weights_after_loading` of layers/jax/quantization/unquantized.py: gate and up become one
    array, everything is padded for the grouped matmul, and requantized weights get scales.
    """
    if experts.moe_backend not in (MoEBackend.GMM_EP, MoEBackend.GMM_TP):
        raise ProofError(
            f"The experts would run on {experts.moe_backend.name}, whose weights "
            "proof/abstract_weights.py cannot lay out: unset the variable that chose it."
        )

    def stored(name: str) -> jax.ShapeDtypeStruct:
        """Returns the shape that a parameter has in the checkpoint: the last two dimensions swapped."""
        value = getattr(experts, name).get_value()
        count, first, second = value.shape
        return jax.ShapeDtypeStruct((count, second, first), value.dtype)

    def process(gate: Any, up: Any, down: Any) -> Any:
        return moe_weights.process_unquantized_moe_weights(
            mesh=mesh,
            moe_backend=experts.moe_backend,
            activation=experts.activation,
            w13_weight=jnp.concatenate([gate, up], axis=1),
            w13_bias=None,
            w2_weight=down,
            w2_bias=None,
        )

    weights = jax.eval_shape(
        process,
        stored("kernel_gating_EDF"),
        stored("kernel_up_proj_EDF"),
        stored("kernel_down_proj_EFD"),
    )
    shardings = moe_weights._get_moe_weight_shardings(weights, experts.moe_backend, mesh)
    del experts.kernel_gating_EDF, experts.kernel_up_proj_EDF
    experts.kernel_gating_upproj_EDF = nnx.Param(_with(weights.w13_weight, shardings.w13_weight))
    experts.kernel_down_proj_EFD = nnx.Param(_with(weights.w2_weight, shardings.w2_weight))
    for name, target in (
        ("w13_weight_scale", "kernel_gating_upproj_EDF_weight_scale"),
        ("w2_weight_scale", "kernel_down_proj_EFD_weight_scale"),
    ):
        if getattr(weights, name) is not None:
            setattr(experts, target, nnx.Param(_with(getattr(weights, name), getattr(shardings, name))))


def _with(value: Any, sharding: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(value.shape, value.dtype, sharding=sharding)
