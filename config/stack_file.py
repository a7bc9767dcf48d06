"""Reads Pulumi.<stack>.yaml and single values as text."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import yaml

PREFIX = "tpuserve:"


def configuration(file: Path) -> Mapping[str, object]:
    """What stands under `config` in a stack's file. Raises ValueError when that is not names and values."""
    try:
        content = yaml_value(file.read_text("utf-8"))
    except UnicodeDecodeError:
        raise ValueError(f"{file.name} is not text in UTF-8; save it as that.") from None
    except ValueError as reason:
        raise ValueError(f"{file.name} is not YAML ({reason}); mend it.") from None
    values = cast(Mapping[str, object], content).get("config") if isinstance(content, Mapping) else None
    if not isinstance(values, Mapping):
        raise ValueError(
            f"{file.name} has no names and values under `config:`; write each as `{PREFIX}NAME: VALUE` there."
        )
    return {str(key): value for key, value in cast(Mapping[object, object], values).items()}


def yaml_value(text: str) -> object:
    """The value of `text`. Raises ValueError with the mistake and its line; the text itself, which may hold
    a secret, is not shown."""
    try:
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ValueError(f"{error.problem}{line}") from None
    except yaml.YAMLError:
        raise ValueError("it holds a character that YAML does not allow") from None


def config_value(value: object) -> object:
    """Pulumi keeps what `pulumi config set` is given as text; stacks read numbers and objects from it."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
