"""What the local image and those who compute with it must agree on."""

from serving.hardware.accelerators import STAND_IN, accelerator

_ROW = accelerator(STAND_IN)

PYTHON_ROOT = "/opt/vllm"
"""Where the container finds the server's Python tree; the node mounts it there, read-only."""

HBM_BYTES = _ROW.hbm_bytes_per_chip
"""Pretended memory of one chip. The tiny model's weights take 13 MiB of each chip; the rest makes a KV pool
of 72 000 tokens in bfloat16."""

CHIPS = _ROW.chips
"""Virtual devices, as many as a v6e-4 host has chips."""

MODEL_NAME = "tiny-gemma4-moe"
"""Folder of the tiny model below the node's models folder."""

IMAGE_NAME = "tpuserve.local/vllm-cpu"
"""A registry that does not exist: the image is imported, never pulled."""

ACCELERATOR_TYPE = "v6e-4"
"""What a TPU VM's metadata server would answer; the library asks it unless the environment says so."""
