"""Shapes, weights and modalities of the models that can be served."""
