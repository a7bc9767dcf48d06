"""What the real provider declares beyond the SDK: replacements, values that it fills in, sets, words.

`provider.json` is derived from the provider's own schema (`derive.py`); its head names version and day.
"""

import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "provider.json"

Groups = dict[str, str]
"""Paths without indexes, by the path above them: `{"": "name zone", "params": "labels"}`."""


def grouped(paths: Iterable[str]) -> Groups:
    """Paths as the file keeps them."""
    found: dict[str, list[str]] = {}
    for path in paths:
        above, _, name = path.rpartition(".")
        found.setdefault(above, []).append(name)
    return {above: " ".join(names) for above, names in found.items()}


def paths(groups: Groups) -> frozenset[str]:
    """The paths themselves."""
    return frozenset(
        f"{above}.{name}" if above else name for above, names in groups.items() for name in names.split()
    )


@dataclass(frozen=True, kw_only=True)
class Declared:
    """One resource type; all paths are without indexes.

    `replaces` are inputs whose change replaces the resource, `filled` those whose value the provider keeps
    when the program states none, and `sets` lists without an order. `defaults` are the provider's own,
    `values` the words that its validation takes where they are known, and `outputs` what only Google sets.
    `newer` inputs are in the SDK and not in the schema. `named` fields get a random name where the program
    gives none; one that the program gave makes a replacement delete first, unless it is in `unique` and
    differs. `delete_first` says so for every replacement, and `labels_replace` that other labels replace.
    """

    named: tuple[str, ...]
    delete_first: bool
    unique: tuple[str, ...]
    labels_replace: bool
    replaces: frozenset[str]
    filled: frozenset[str]
    sets: frozenset[str]
    defaults: Mapping[str, Any]
    values: Mapping[str, tuple[str, ...]]
    outputs: frozenset[str]
    newer: frozenset[str]


@functools.cache
def document() -> dict[str, Any]:
    """The whole file."""
    return json.loads(FILE.read_text("utf-8"))


def version() -> str:
    """The provider's name and version: `google-beta 8.0.0`."""
    return document()["provider"]


@functools.cache
def of(token: str) -> Declared:
    """The table's entry for a type that the stand-in knows."""
    found = document()["types"][token]
    return Declared(
        named=tuple(found.get("named", "").split()),
        delete_first=found.get("deleteFirst", False),
        unique=tuple(found.get("unique", "").split()),
        labels_replace=found.get("labelsReplace", False),
        replaces=paths(found.get("replaces", {})),
        filled=paths(found.get("filled", {})),
        sets=paths(found.get("sets", {})),
        defaults=found.get("defaults", {}),
        values={path: tuple(words.split()) for path, words in found.get("values", {}).items()},
        outputs=paths(found.get("outputs", {})),
        newer=paths(found.get("newer", {})),
    )


def deletes_first(
    token: str, old: Mapping[str, Any], new: Mapping[str, Any], given_by_provider: Iterable[str]
) -> bool:
    """Whether a replacement deletes the old thing before it makes the new one.

    pulumi-terraform-bridge, pkg/tfbridge/schema.go, nameRequiresDeleteBeforeReplace.
    """
    declared = of(token)
    if declared.delete_first:
        return True
    if any(name in new and new[name] != old.get(name) for name in declared.unique):
        return False
    return any(name in new and name not in given_by_provider for name in declared.named)
