"""Generator of config/schema.json: `python -m tools.docs.stack_schema > config/schema.json`.

The JSON schema of a stack file, Pulumi.<stack>.yaml, comes from the models that read it. An editor with the
YAML language server completes and checks a stack file with it. The schema has names, types and bounds. It
does not know what fits on a slice or which settings exclude each other: `pulumi preview` and `make explain`
do.

Draft 7 is the draft that the YAML language server supports in full.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from config.settings import Settings
from config.stack_text import PREFIX
from serving.engine.config import EngineConfig
from serving.engine.phases import PHASES, SCENARIOS
from serving.engine.rendering import targets
from serving.hardware.accelerators import ACCELERATORS
from serving.models.catalog import MODELS

Schema = dict[str, Any]

TABLES: Mapping[str, Iterable[str]] = {
    "accelerator": [row.name for row in ACCELERATORS.values() if row.offered],
    "model": MODELS,
    "phase": PHASES,
    "scenario": SCENARIOS,
}
"""Keys of a stack whose values are the rows of a table."""

WHOLE_NUMBER = {"type": "string", "pattern": "^(0|[1-9][0-9]*)$", "description": "Of `pulumi config set`."}
JSON_OBJECT = {"type": "string", "pattern": r"^\s*\{", "description": "JSON, of `pulumi config set`."}


def document() -> str:
    """Returns the schema as JSON text that ends with a newline."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def schema() -> Schema:
    """Returns the schema of a whole stack file.

    Keys of other namespaces under `config:` (`gcp:project`) and Pulumi's own keys beside `config:`
    (`encryptionsalt`, `secretsprovider`) are accepted.
    """
    settings = _draft_7(Settings.model_json_schema())
    definitions: Schema = settings.pop("$defs")
    engine = _engine()
    definitions |= engine.pop("$defs")
    for part in definitions.values():
        # The reader chooses the model by `kind`, so it has to be written even where the model has a default.
        if "kind" in part.get("properties", {}):
            part["required"] = sorted({"kind", *part.get("required", ())})
    keys: Schema = settings["properties"]
    for key, rows in TABLES.items():
        _choices(keys[key], list(rows))
    _choices(definitions["Checkpoint"]["properties"]["architecture"], list(MODELS))
    keys["engine"] = {**engine, "description": keys["engine"]["description"]}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Stack file of tpuserve",
        "description": "Written by `python -m tools.docs.stack_schema`; change the models, not this file.",
        "type": "object",
        "required": ["config"],
        "properties": {
            "config": {
                "description": "Configuration of the stack; docs/configuration.md lists every key.",
                "type": "object",
                "required": [PREFIX + key for key in settings["required"]],
                "properties": {PREFIX + key: _or_text(part) for key, part in keys.items()},
                "patternProperties": {f"^(?!{PREFIX}).+:.+$": {"description": "A key of another namespace."}},
                "additionalProperties": False,
            }
        },
        "definitions": definitions,
    }


def _engine() -> Schema:
    """Returns the schema of the fields under `engine:` of a stack, where none is required."""
    engine = _draft_7(EngineConfig.model_json_schema())
    del engine["required"]
    fields: Schema = engine["properties"]
    for target in targets(EngineConfig):
        field = fields[target.field]
        places = field.pop("places", None)
        if places is not None:
            del field["kind"], field["unit"]
            unit = f", in {target.unit}" if target.unit else ""
            field["description"] += f" Becomes {' and '.join(places)}{unit}."
    return {**engine, "$defs": engine.get("$defs", {})}


def _choices(part: Schema, rows: list[str]) -> None:
    """Replaces "any text" in `part` by the names of a table's rows."""
    for option in part.get("anyOf", part.get("oneOf", ())):
        _choices(option, rows)
    if part.get("type") == "string":
        part["enum"] = rows


def _or_text(part: Schema) -> Schema:
    """Returns a schema of what `part` accepts, and of the text that `pulumi config set` writes for it."""
    text = WHOLE_NUMBER if part.get("type") == "integer" else JSON_OBJECT if _is_object(part) else None
    if text is None:
        return part
    outside = {key: part.pop(key) for key in ("description", "default") if key in part}
    return {**outside, "anyOf": [part, text]}


def _is_object(part: Schema) -> bool:
    return part.get("type") == "object" or "oneOf" in part


def _draft_7(part: Any) -> Any:
    """Returns a schema that pydantic made as one of draft 7, without the titles that it generates.

    Draft 7 ignores the keys beside a `$ref`, so the reference goes into an `allOf`. A mapping whose keys have
    a pattern takes no other keys.
    """
    if isinstance(part, list):
        return [_draft_7(item) for item in cast(list[object], part)]
    if not isinstance(part, dict):
        return part
    inner = cast(Schema, part)
    result: Schema = {
        key: _draft_7(value)
        for key, value in inner.items()
        if not (key == "title" and isinstance(value, str)) and key != "discriminator"
    }
    if "$ref" in result:
        reference = {"$ref": result.pop("$ref").replace("#/$defs/", "#/definitions/")}
        return {**result, "allOf": [reference]} if result else reference
    if "patternProperties" in result:
        result.setdefault("additionalProperties", False)
    return result


if __name__ == "__main__":
    print(document(), end="")
