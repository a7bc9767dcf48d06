"""Text tables of rows: one engine, or two side by side."""

import textwrap
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from explain import verdict
from explain.row import Row
from serving.messages.finding import Finding

WIDTH = 116
LABEL = 32
COLUMN = (WIDTH - LABEL - 4) // 2


def one(name: str, rows: Sequence[Row], found: Sequence[Finding], command: str) -> str:
    """Returns the verdict, a table of label, value and basis, the findings, and the command line."""
    first, *others = rows
    lines = [*_hanging("", f"{name}: {_with_basis(first)}")]
    section = verdict.SECTION
    for row in others:
        if row.section != section:
            section = row.section
            lines += ["", section.upper()]
        lines += _hanging(f"  {row.label:<{LABEL}}", _with_basis(row))
    lines += ["", "FINDINGS", *_findings(found), "", "COMMAND", *_hanging("  ", command)]
    return "\n".join(lines)


def two(
    names: tuple[str, str],
    tables: tuple[Sequence[Row], Sequence[Row]],
    found: tuple[Sequence[Finding], Sequence[Finding]],
) -> str:
    """Returns two columns with the rows that differ, and the findings that only one of the two has."""
    left, right = ({(row.section, row.label): row.text for row in rows} for rows in tables)
    lines = [*_columns(f"  {'':<{LABEL}}", names)]
    section = ""
    for key in _merged(list(left), list(right)):
        values = (left.get(key, "-"), right.get(key, "-"))
        if values[0] == values[1]:
            continue
        if key[0] != section:
            section = key[0]
            lines += ["", section.upper()]
        lines += _columns(f"≠ {key[1]:<{LABEL}}", values)
    for index in (0, 1):
        others = {str(finding) for finding in found[1 - index]}
        only = [finding for finding in found[index] if str(finding) not in others]
        lines += ["", f"FINDINGS ONLY OF {names[index].upper()}", *_findings(only)]
    lines += ["", "no other differences"]
    return "\n".join(lines)


def _with_basis(row: Row) -> str:
    return f"{row.text}  [{row.basis}]" if row.basis else row.text


def _merged(left: list[tuple[str, str]], right: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Returns the keys of both in reading order: sections in the order of the left, new rows at their end."""
    sections = dict.fromkeys(key[0] for key in (*left, *right))
    keys = dict.fromkeys((*left, *right))
    return [key for section in sections for key in keys if key[0] == section]


def _columns(label: str, values: tuple[str, str]) -> Iterator[str]:
    parts = [textwrap.wrap(value, COLUMN) or [""] for value in values]
    for number, (first, second) in enumerate(zip_longest(*parts, fillvalue="")):
        yield f"{label if number == 0 else ' ' * len(label)}{first:<{COLUMN}}  {second}".rstrip()


def _hanging(label: str, text: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=label, subsequent_indent=" " * len(label), break_on_hyphens=False
    )


def _findings(found: Sequence[Finding]) -> list[str]:
    if not found:
        return ["  none"]
    return [line for finding in found for line in _hanging(f"  {finding.severity:<8} ", str(finding))]
