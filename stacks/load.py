"""Reads the stack's configuration from Pulumi: the only place that reads `pulumi.Config`."""

from __future__ import annotations

import pulumi
import pulumi.runtime

from config.settings import Settings
from config.stack_file import parse


def load() -> Settings:
    """Read the stack's configuration; a mistake ends the program with only its sentences."""
    # `pulumi.Config` cannot list keys, and an unread typo is a trap.
    values: dict[str, object] = {**pulumi.runtime.config.CONFIG.get()}
    try:
        return parse(values, [key for key in values if pulumi.runtime.is_config_secret(key)])
    except ValueError as error:
        raise pulumi.RunError(str(error)) from None
