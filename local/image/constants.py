"""Constants that the local image shares with the code that computes with it."""

from serving.hardware.accelerators import STAND_IN, accelerator

_ROW = accelerator(STAND_IN)

PYTHON_ROOT = "/opt/vllm"
"""Path of the server's Python tree in the container; the node mounts it there, read-only."""

VLLM_CACHE = "share/vllm"
"""Folder of the tree with what vLLM keeps between starts about a model's class."""

HBM_BYTES = _ROW.hbm_bytes_per_chip
"""Simulated memory of one chip, in bytes. The tiny model's weights take 13 MiB of each chip; the rest makes a
KV pool of 72 000 tokens in bfloat16."""

CHIPS = _ROW.chips
"""Number of virtual devices: as many as a v6e-4 host has chips."""

MODEL_NAME = "tiny-gemma4-moe"
"""Folder of the tiny model below the node's models folder."""

IMAGE_NAME = "tpuserve.local/vllm-cpu"
"""Name in a registry that does not exist: the image is imported, never pulled."""

ACCELERATOR_TYPE = "v6e-4"
"""Answer of a TPU VM's metadata server; the library asks that server unless the environment has the value."""
