"""Checks by subject. Each is a function from a Case to an Outcome."""
