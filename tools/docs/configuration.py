"""Writes docs/configuration.md, every key of a stack, from the models in config/ and serving/."""

import types
import typing
from collections.abc import Iterator
from typing import Any

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from config import acceptance, monitoring, provisioning
from config import targets as kinds
from config.settings import Checkpoint, Settings
from config.traffic.expected import ExpectedLoad
from serving.engine.config import EngineConfig
from serving.engine.flag_verdicts import EXTRA, REFUSED
from serving.engine.nested_options import (
    ChatTemplateKwargs,
    GenerationDefaults,
    MultimodalLimits,
    QwixRule,
    Speculative,
    VisionPrograms,
)
from serving.engine.phases import PHASES, SCENARIOS, engine_for
from serving.engine.rendering import targets
from serving.engine.server_flags import ServerFlag, server_flags
from serving.hardware.accelerators import ACCELERATORS
from serving.messages.units import gib
from serving.models.catalog import MODELS

NESTED = (
    Speculative,
    MultimodalLimits,
    VisionPrograms,
    GenerationDefaults,
    ChatTemplateKwargs,
    QwixRule,
)
TARGETS = (kinds.LocalTarget, kinds.FoundationTarget, kinds.GkeTarget, kinds.TpuVmTarget)
CAPACITY = (
    provisioning.OnDemand,
    provisioning.Spot,
    provisioning.FlexStart,
    provisioning.Reservation,
    provisioning.ProvisioningFallback,
)
PARTS = (
    kinds.Endpoint,
    kinds.NewCluster,
    kinds.ExistingCluster,
    kinds.MaintenanceWindow,
    kinds.MaintenanceExclusion,
    acceptance.Rollout,
    acceptance.Acceptance,
    acceptance.Prompt,
    acceptance.Limits,
    acceptance.Ladder,
    ExpectedLoad,
    monitoring.Monitoring,
    monitoring.Budget,
)

_INTRODUCTION = """\
# Configuration

Written by `python -m tools.docs.configuration`; change the models in `config/` and `serving/`, not this file.

All keys of `Pulumi.<stack>.yaml`, each with the prefix `tpuserve:`. Every field is optional unless its
default is `required`. `pulumi preview` refuses unknown keys. An editor with the YAML language server
completes and checks stack files: their first line names `config/schema.json`.
"""

_ENGINE = """\
# The engine

A stack names a `phase`, optionally a `scenario`, and under `engine:` the fields that differ from them. A
field that is empty (`null`) is not passed, and vLLM uses its default. A value replaces the whole value of
the phase: a new `limit_mm_per_prompt` replaces the old one. `make explain STACK=…` shows the resulting
engine.
"""


def document() -> str:
    """The whole file, ending with a newline."""
    parts = [
        _INTRODUCTION,
        "## A stack\n",
        part_table(Settings),
        *_sections((Checkpoint,), ""),
        *_sections(TARGETS, "target"),
        *_sections(CAPACITY, "capacity"),
        *_sections(PARTS, ""),
        _ENGINE,
        "## Phases\n",
        *_named(PHASES.values()),
        "## Scenarios\n",
        *_named(SCENARIOS.values()),
        "## What each phase sets\n",
        _phase_table(),
        "## Flags of `vllm serve`\n",
        _field_table("flag"),
        "## Environment variables\n",
        _field_table("variable"),
        _more("extra_environment", "names and texts"),
        "## Other flags of `vllm serve`\n",
        _more("extra_flags", "names and values"),
        _extra_flags(),
        "These flags are refused:\n",
        _refused_flags(),
    ]
    for model in NESTED:
        parts += [f"## {model.__name__}\n", f"{_first_paragraph(model)}\n", part_table(model)]
    parts += ["## Accelerators\n", _accelerators(), "## Models\n", _models()]
    return "\n".join(parts)


def _sections(models: tuple[type[BaseModel], ...], union: str) -> Iterator[str]:
    """A heading, the model's own description, and its table; `union` is the key whose `kind` chooses it."""
    for model in models:
        yield f"## `{union}: {{kind: {_tag(model)}}}`\n" if union else f"## {model.__name__}\n"
        yield f"{_first_paragraph(model)}\n"
        yield part_table(model)


def _tag(model: Any) -> str:
    """Returns the `kind` that selects a model of a union; empty if it has none, or is no model."""
    kind = getattr(model, "model_fields", {}).get("kind")
    return typing.get_args(kind.annotation)[0] if kind else ""


def _named(rows: typing.Iterable[Any]) -> Iterator[str]:
    for row in rows:
        yield f"- **{row.name}**: {row.description} {row.trade_off}"
    yield ""


def _table(header: tuple[str, ...], rows: typing.Iterable[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |\n" for line in lines)


def _phase_table() -> str:
    engines = {name: engine_for(name, None, {}) for name in PHASES}
    defaults = {name: info.default for name, info in EngineConfig.model_fields.items()}
    rows: list[tuple[str, ...]] = []
    for field in EngineConfig.model_fields:
        values = [getattr(engine, field) for engine in engines.values()]
        if any(value != defaults[field] for value in values) and not field.startswith("extra_"):
            rows.append((f"`{field}`", *(_value(value) for value in values)))
    return _table(("field", *engines), rows)


def _field_table(kind: typing.Literal["flag", "variable"]) -> str:
    names: dict[str, list[str]] = {}
    for target in targets(EngineConfig, kind):
        names.setdefault(target.field, []).append(f"`{target.name}`")
    rows = [
        (
            f"`{target.field}`",
            " and ".join(names.pop(target.field)),
            _kind(target.info),
            target.unit,
            _default(target.info),
            target.info.description or "",
        )
        for target in targets(EngineConfig, kind)
        if target.field in names
    ]
    return _table(("field", "becomes", "values", "unit", "default", "effect"), rows)


def _more(field: str, values: str) -> str:
    return f"`{field}`: {values}. {EngineConfig.model_fields[field].description}\n"


def _extra_flags() -> str:
    rows = [(f"`{name}`", _flag_values(server_flags()[name]), extra.effect) for name, extra in EXTRA.items()]
    return _table(("flag", "values", "effect"), rows)


def _flag_values(flag: ServerFlag) -> str:
    extra = EXTRA[flag.name]
    kind = {"switch": "true, false", "on": "true", "integer": "whole number", "json": "object"}
    choices = ", ".join(map(str, extra.values or flag.choices or extra.keys))
    bounds = [
        f"{word} {bound:.10g}"
        for word, bound in (("at least", extra.least), ("at most", extra.most))
        if bound is not None
    ]
    return " ".join([choices or kind.get(flag.kind, flag.kind), *bounds])


def _refused_flags() -> str:
    reasons: dict[str, list[str]] = {}
    for name, reason in REFUSED.items():
        reasons.setdefault(reason, []).append(f"`{name}`")
    return _table(("flags", "why"), ((", ".join(names), reason) for reason, names in reasons.items()))


def part_table(model: type[BaseModel]) -> str:
    """Any settings model as a table: name, values, default, and the field's own description; its `kind`
    stands elsewhere."""
    rows = [
        (f"`{name}`", _kind(info), _default(info), info.description or "")
        for name, info in model.model_fields.items()
        if name != "kind"
    ]
    if not rows:
        return "No other field.\n"
    return _table(("field", "values", "default", "effect"), rows)


def _first_paragraph(model: type[BaseModel]) -> str:
    paragraph = (model.__doc__ or "").partition("\n\n")[0]
    return " ".join(paragraph.split())


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    default = info.get_default(call_default_factory=True)
    if isinstance(default, BaseModel):
        tag = _tag(type(default))
        return f"kind {tag}" if tag else "its own"
    return _value(default)


def _value(value: object) -> str:
    if value is None or value in ({}, ()):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, BaseModel):
        return ", ".join(f"{name} {_value(part)}" for name, part in value if part is not None)
    if isinstance(value, tuple):
        return " ".join(str(part) for part in typing.cast(tuple[object, ...], value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _kind(info: FieldInfo) -> str:
    """Returns the accepted values in words: names to choose from, or a kind with its bounds."""
    text = _annotation(info.annotation)
    low = [f"above {m.gt:g}" for m in info.metadata if isinstance(m, Gt)]
    low += [f"from {m.ge:g}" for m in info.metadata if isinstance(m, Ge)]
    high = [f"to {m.le:g}" for m in info.metadata if isinstance(m, Le)]
    high += [f"below {m.lt:g}" for m in info.metadata if isinstance(m, Lt)]
    return " ".join([text, *low, *high])


_WORDS: dict[object, str] = {int: "whole number", float: "number", bool: "true, false", str: "text"}


def _annotation(annotation: Any) -> str:
    arguments = typing.get_args(annotation)
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        tags = [_tag(part) for part in arguments]
        if all(tags):
            return f"by `kind`: {', '.join(f'`{tag}`' for tag in tags)}"
        return " or ".join(_annotation(part) for part in arguments if part is not types.NoneType)
    if origin is typing.Literal:
        return ", ".join(f"`{choice}`" for choice in arguments)
    if origin is tuple:
        item = _annotation(arguments[0])
        return f"list of {item}s" if item in _WORDS.values() else f"list, each {item}"
    if origin is typing.Annotated:
        return _annotation(arguments[0])
    if origin is dict:
        return "names and values"
    return _WORDS.get(annotation) or f"see {annotation.__name__}"


def _accelerators() -> str:
    rows = [
        (
            f"`{row.name}`",
            str(row.chips),
            gib(row.hbm_bytes_per_chip),
            row.machine_type or "this machine",
            row.gke_topology,
            ", ".join(row.zones),
        )
        for row in ACCELERATORS.values()
        if row.offered
    ]
    return _table(("accelerator", "chips", "usable HBM a chip", "machine", "topology", "zones"), rows)


def _models() -> str:
    rows = [
        (f"`{row.name}`", f"`{row.hf_repo}`", f"{row.weight_bytes / 1e9:.2f} GB", ", ".join(row.modalities))
        for row in MODELS.values()
    ]
    return _table(("model", "repository", "weights", "takes"), rows)


if __name__ == "__main__":
    print(document(), end="")
