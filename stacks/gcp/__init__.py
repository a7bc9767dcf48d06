"""Modules that all stacks on Google Cloud share: provider, foundation, provisioning, stockouts."""
