"""Texts for users: findings, validation errors, suggestions, options of other set-ups."""
