"""The engine's configuration: fields, phases, and how they become argv and environment."""
