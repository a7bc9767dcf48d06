"""What the local image and those who compute with it must agree on."""

PYTHON_ROOT = "/opt/vllm"
"""Where the container finds the server's Python tree; the node mounts it there, read-only."""

HBM_BYTES = 128 * 1024 * 1024
"""Pretended memory of one chip, in bytes. The tiny model's weights take 13 MiB of each chip; what is left
makes a KV pool of some thousands of tokens: enough for every request slot, small enough to fill in a test."""

CHIPS = 4
"""Virtual devices, as many as a v6e-4 host has chips."""

MODEL_NAME = "tiny-gemma4-moe"
"""Folder of the tiny model below the node's models folder."""

ACCELERATOR_TYPE = "v6e-4"
"""What a TPU VM's metadata server would answer; the library asks it unless the environment says so."""
