"""Terms of a chip's HBM, and the reasons why an engine does not fit."""
