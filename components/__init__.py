"""Pulumi components. They know no configuration, no stack names and no environments."""
