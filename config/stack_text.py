"""Text of a stack's file: its YAML, and the names and values in it, before anybody asks what they mean.

Without the settings, whose import takes a third of a second: `make preview` needs only the target.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import yaml

PREFIX = "tpuserve:"


def configuration(file: Path) -> Mapping[str, object]:
    """Returns the values under `config` in a stack's file. Raises ValueError if they are not names and
    values."""
    try:
        text = file.read_text("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{file.name} is not text in UTF-8; save it as that.") from None
    return configuration_of(text, file.name)


def configuration_of(text: str, name: str) -> Mapping[str, object]:
    """Returns the values under `config` in the text of the stack file `name`. Raises ValueError as
    `configuration` does."""
    try:
        content = yaml_value(text)
    except ValueError as reason:
        raise ValueError(f"{name} is not valid YAML ({reason}); fix it.") from None
    values = cast(Mapping[str, object], content).get("config") if isinstance(content, Mapping) else None
    if not isinstance(values, Mapping):
        raise ValueError(
            f"{name} has no names and values under `config:`; write each as `{PREFIX}NAME: VALUE` there."
        )
    return {str(key): value for key, value in cast(Mapping[object, object], values).items()}


class _Loader(yaml.SafeLoader):
    """YAML as Pulumi reads it: `yes`, `no`, `on` and `off` are text (gopkg.in/yaml.v3, README)."""

    yaml_implicit_resolvers = {  # noqa: RUF012  (as in the base class)
        first: [(tag, form) for tag, form in rows if tag != "tag:yaml.org,2002:bool"]
        for first, rows in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


for _first in "tTfF":
    _Loader.yaml_implicit_resolvers[_first].insert(
        0, ("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"))
    )


def yaml_value(text: str) -> object:
    """Returns the value of YAML text. Raises ValueError with the mistake and its line.

    The message does not show the text, which may have a secret.
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ValueError(f"{error.problem}{line}") from None
    except yaml.YAMLError:
        raise ValueError("it holds a character that YAML does not allow") from None


def config_value(value: object) -> object:
    """Returns the number or object in a text, because `pulumi config set` writes every value as text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
