"""Reads the stack's configuration from Pulumi: the only place that reads `pulumi.Config`."""

from __future__ import annotations

import pulumi
import pulumi.runtime

from config.settings import Settings
from config.stack_file import PREFIX, config_value


def load() -> Settings:
    """Read the stack's configuration; a mistake ends the program with its sentences alone."""
    try:
        return Settings.parse(_configuration())
    except ValueError as error:
        raise pulumi.RunError(str(error)) from None


def _configuration() -> dict[str, object]:
    """Every `tpuserve:` key of the stack. `pulumi.Config` cannot list keys, and an unread typo is a trap."""
    names = [key.removeprefix(PREFIX) for key in pulumi.runtime.config.CONFIG.get() if key.startswith(PREFIX)]
    config = pulumi.Config(PREFIX.removesuffix(":"))
    return {name: config_value(config.require(name)) for name in sorted(names)}
