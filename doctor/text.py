"""Rows for people and for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from doctor.rows import Row


def table(rows: Sequence[Row]) -> str:
    """Returns a line for each row: its state, its check and its sentence."""
    states = max(len(row.state) for row in rows)
    names = max(len(row.check) for row in rows)
    return "\n".join(f"{row.state:<{states}}  {row.check:<{names}}  {row.sentence}" for row in rows)


def document(stack: str, rows: Sequence[Row]) -> str:
    """Returns the rows as a JSON document."""
    content = {"stack": stack, "rows": [asdict(row) for row in rows]}
    return json.dumps(content, indent=1, ensure_ascii=False)


def summary(stack: str, rows: Sequence[Row]) -> str:
    """Returns the last line: what to do next."""
    count = {state: sum(row.state == state for row in rows) for state in ("missing", "not asked")}
    unasked = f" {count['not asked']} could not be asked." if count["not asked"] else ""
    if count["missing"]:
        return f"{count['missing']} of {len(rows)} checks found something missing.{unasked}"
    return f"Nothing is missing for `pulumi up -s {stack}` in {len(rows)} checks.{unasked}"
