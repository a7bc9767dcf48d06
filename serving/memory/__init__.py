"""What fills a chip's HBM, and whether an engine fits."""
