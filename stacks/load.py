"""Reads the stack's configuration from Pulumi: the only place that reads `pulumi.Config`."""

from __future__ import annotations

from pathlib import Path

import pulumi
import pulumi.runtime

from config.settings import Settings
from config.stack_file import parse

FOLDER = Path(__file__).parents[1]
"""Folder of Pulumi.yaml and of the stack files."""


def load() -> Settings:
    """Returns the stack's settings. Raises pulumi.RunError with one sentence for each mistake."""
    # `pulumi.Config` cannot list keys, and a misspelled key would be ignored silently.
    values: dict[str, object] = {**pulumi.runtime.config.CONFIG.get()}
    try:
        return parse(values, [key for key in values if pulumi.runtime.is_config_secret(key)], FOLDER)
    except ValueError as error:
        raise pulumi.RunError(str(error)) from None
