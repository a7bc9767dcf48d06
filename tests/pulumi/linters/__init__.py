"""Public linters over the workflows and the plans."""
