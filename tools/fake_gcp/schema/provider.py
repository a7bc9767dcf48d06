"""Table of what the real provider declares beyond the SDK: replacements, filled-in values, sets, words.

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
    """Group paths as the file keeps them."""
    names: dict[str, list[str]] = {}
    for path in paths:
        above, _, name = path.rpartition(".")
        names.setdefault(above, []).append(name)
    return {above: " ".join(each) for above, each in names.items()}


def paths(groups: Groups) -> frozenset[str]:
    """Return the paths of a group."""
    return frozenset(
        f"{above}.{name}" if above else name for above, names in groups.items() for name in names.split()
    )


@dataclass(frozen=True, kw_only=True)
class Declared:
    """Declarations of one resource type; all paths are without indexes.

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
    """Read the whole file."""
    return json.loads(FILE.read_text("utf-8"))


def version() -> str:
    """Return the provider's name and version, such as `google-beta 8.0.0`."""
    return document()["provider"]


@functools.cache
def of(token: str) -> Declared:
    """Return the entry of a type. Raises KeyError for a type that the table lacks."""
    entry = document()["types"][token]
    return Declared(
        named=tuple(entry.get("named", "").split()),
        delete_first=entry.get("deleteFirst", False),
        unique=tuple(entry.get("unique", "").split()),
        labels_replace=entry.get("labelsReplace", False),
        replaces=paths(entry.get("replaces", {})),
        filled=paths(entry.get("filled", {})),
        sets=paths(entry.get("sets", {})),
        defaults=entry.get("defaults", {}),
        values={path: tuple(words.split()) for path, words in entry.get("values", {}).items()},
        outputs=paths(entry.get("outputs", {})),
        newer=paths(entry.get("newer", {})),
    )


def deletes_first(
    token: str, old: Mapping[str, Any], new: Mapping[str, Any], given_by_provider: Iterable[str]
) -> bool:
    """Return whether a replacement deletes the old thing before it makes the new one.

    `given_by_provider` are the fields of `named` whose value the provider chose.

    pulumi-terraform-bridge, pkg/tfbridge/schema.go, nameRequiresDeleteBeforeReplace.
    """
    declared = of(token)
    if declared.delete_first:
        return True
    if any(name in new and new[name] != old.get(name) for name in declared.unique):
        return False
    return any(name in new and name not in given_by_provider for name in declared.named)
