"""Releases for people: a list, one record, what two records differ in, and what can be pruned."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from releases.prune import Verdict
from serving.deploy.record import Record
from serving.messages.units import gib

ABSENT = "(not there)"


def listed(records: Sequence[Record], running: Mapping[str, Sequence[str]]) -> str:
    """Returns a line for each release; `running` has the stacks whose files name it."""
    rows = [("release", "accepted (UTC)", "slice", "model", "image", "compile cache", "named by")]
    for each in records:
        weights = f"{each.model}@{each.revision[:7]}" if each.revision else each.model
        rows.append(
            (
                each.release,
                datetime.fromtimestamp(each.accepted or 0, UTC).strftime("%Y-%m-%d %H:%M"),
                each.accelerator,
                weights,
                _image(each.image),
                each.archive.sha256[:12] if each.archive else "none",
                " ".join(running.get(each.release, ())) or "-",
            )
        )
    return _table(rows)


def shown(record: Record) -> str:
    """Returns a record as JSON."""
    return json.dumps(record.model_dump(mode="json"), indent=1, ensure_ascii=False)


def differences(old: Record, new: Record) -> str:
    """Returns a line for each value that two records differ in."""
    before, after = (dict(_leaves(record.model_dump(mode="json"))) for record in (old, new))
    lines = [
        f"{path}: {before.get(path, ABSENT)} -> {after.get(path, ABSENT)}"
        for path in dict.fromkeys([*before, *after])
        if before.get(path, ABSENT) != after.get(path, ABSENT)
    ]
    return "\n".join(lines) or f"{old.release} and {new.release} are one release."


def judged(verdicts: Sequence[Verdict]) -> str:
    """Returns a line for each item of a bucket: what happens to it, its size, and the reason."""
    rows = [("item", "objects", "size", "verdict", "reason")]
    for each in verdicts:
        verdict = "keep" if each.keep else "delete"
        rows.append((each.item, str(len(each.objects)), gib(each.bytes), verdict, each.reason))
    return _table(rows)


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _image(image: str) -> str:
    """Returns the end of an image's name, with twelve digits of its digest."""
    name, _, digest = image.rpartition("/")[2].partition("@sha256:")
    return f"{name}@{digest[:12]}" if digest else name


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yields each single value with its path. A command line is one value: its words move."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}.{index}")
    elif isinstance(value, list):
        yield path, " ".join(str(item) for item in value)
    else:
        yield path, value
