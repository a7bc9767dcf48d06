"""Fake Google Cloud itself: its memory, operations, instance groups, clusters and faults."""
