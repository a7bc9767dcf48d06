"""Resources of Google Cloud, one component in each file."""
