"""Runs next to vLLM: in its process, on a TPU VM, in the weights Job. Imports none of the other packages."""
