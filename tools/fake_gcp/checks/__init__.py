"""Judgment of inputs and changes: what the provider and Google would refuse, replace or fill in."""
