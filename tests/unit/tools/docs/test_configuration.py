"""docs/configuration.md says what the models say, and leaves no model out."""

import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from config.settings import Settings
from serving.engine.config import EngineConfig
from tests.inventory.recorder import REPOSITORY
from tools.docs import configuration


def test_the_reference_is_current() -> None:
    file = REPOSITORY / "docs" / "configuration.md"
    assert file.read_text("utf-8") == configuration.document(), (
        "docs/configuration.md is stale: run `python -m tools.docs.configuration > docs/configuration.md`."
    )


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Every model that a value of this type may be, or may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for info in annotation.model_fields.values():
            yield from models(info.annotation)
    for part in typing.get_args(annotation):
        yield from models(part)


def test_every_part_of_a_stack_has_its_table() -> None:
    text = configuration.document()
    found = {*models(Settings), *models(EngineConfig)} - {Settings, EngineConfig}
    assert len(found) > 15
    for model in found:
        kind = model.model_fields.get("kind")
        tag = typing.get_args(kind.annotation)[0] if kind else None
        assert f"\n## {model.__name__}\n" in text or f"{{kind: {tag}}}`\n" in text, model
