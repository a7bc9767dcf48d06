"""Resources of Google Cloud, one component a file."""
