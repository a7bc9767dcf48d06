"""Runs inside the model server's own processes. Standard library only."""
