"""Shapes, weights and modalities of the models that this project serves."""
