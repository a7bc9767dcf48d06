"""Edits of a stack's file that keep every other line, comments included.

A YAML library that writes a file moves or drops the comments next to a removed key. So the parser only says
where a key begins and ends.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from config.promotion import DECIDED
from config.stack_text import PREFIX, yaml_value
from tools.support.errors import Refusal

KEY = f"{PREFIX}release"
_DECIDED = frozenset(f"{PREFIX}{name}" for name in DECIDED)


@dataclass(frozen=True)
class _Entry:
    """A key under `config:` with its value; `last` is the last line of the value."""

    key: yaml.Node
    value: yaml.Node

    @property
    def first(self) -> int:
        return self.key.start_mark.line

    @property
    def last(self) -> int:
        return _last_line(self.value)


def with_release(text: str, name: str, file: str) -> str:
    """Returns a stack file's text with `release`, and without the keys that a release decides.

    `file` is its name. Raises Refusal for a file in which that cannot be done line by line.
    """
    edited = _edited(text, name)
    if not _same(text, edited, name):
        raise Refusal(
            f"{file} is written in a form that cannot be edited line by line: write `config:` with one key a "
            "line, as in the delivered stack files."
        )
    return edited


def replace(file: Path, content: str | bytes) -> None:
    """Writes a file so that a reader sees the old content or the new; its mode stays."""
    data = content.encode() if isinstance(content, str) else content
    if file.exists() and file.read_bytes() == data:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.new")
    temporary.write_bytes(data)
    if file.exists():
        temporary.chmod(file.stat().st_mode & 0o777)
    temporary.replace(file)


def _edited(text: str, name: str) -> str:
    lines = text.splitlines(keepends=True)
    entries = dict(_entries(text))
    gone = [entry for key, entry in entries.items() if key in _DECIDED]
    removed = {line for entry in gone for line in _lines(entry, lines)}
    if KEY in entries:
        # Only the value, so that a comment behind it stays.
        start, end = entries[KEY].value.start_mark, entries[KEY].value.end_mark
        line = lines[start.line]
        lines[start.line] = f'{line[: start.column]}"{name}"{line[end.column :]}'
        return "".join(line for index, line in enumerate(lines) if index not in removed)
    first = min(
        (entry.first for entry in gone), default=1 + max((each.last for each in entries.values()), default=0)
    )
    column = next((entry.key.start_mark.column for entry in entries.values()), 2)
    above = "".join(lines[:first])
    below = "".join(line for index, line in enumerate(lines) if index >= first and index not in removed)
    newline = "" if above.endswith("\n") else "\n"
    return f'{above}{newline}{" " * column}{KEY}: "{name}"\n{below}'


def _lines(entry: _Entry, lines: Sequence[str]) -> range:
    """Returns the lines of a key and its value, without the empty ones behind it."""
    last = entry.last
    while last > entry.first and not lines[last].strip():
        last -= 1
    return range(entry.first, last + 1)


def _entries(text: str) -> Iterator[tuple[str, _Entry]]:
    """Yields the keys under `config:`; none for a file that is not written as a block."""
    root = yaml.compose(text, yaml.SafeLoader)
    for key, value in root.value if isinstance(root, yaml.MappingNode) else ():
        if key.value == "config" and isinstance(value, yaml.MappingNode) and not value.flow_style:
            yield from ((str(name.value), _Entry(name, node)) for name, node in value.value)


def _last_line(node: yaml.Node) -> int:
    """Returns the last line of a value. The parser's end of a block is the beginning of what follows it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(last, tuple) else last)
    return node.end_mark.line if node.end_mark.column else node.end_mark.line - 1


def _same(before: str, after: str, name: str) -> bool:
    """Returns whether `after` has the values of `before`, with the release instead of what it decides."""
    try:
        old, new = yaml_value(before), yaml_value(after)
    except ValueError:
        return False
    config = old.get("config") if isinstance(old, Mapping) else None
    if not isinstance(old, Mapping) or not isinstance(config, Mapping):
        return False
    kept = {key: value for key, value in config.items() if key not in _DECIDED}
    return new == {**old, "config": {**kept, KEY: name}}
