"""Local replacements for the vllm-tpu image and the real weights, on one machine without a TPU."""

from local.image.environment import ensure_environment, environment
from local.image.image import archive, ensure_image, reference
from local.image.tiny_model_cache import ensure_model, model

__all__ = [
    "archive",
    "ensure_environment",
    "ensure_image",
    "ensure_model",
    "environment",
    "model",
    "reference",
]
