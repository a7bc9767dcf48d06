"""One value of a table, with how it is known."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One value: `value` for programs, in the unit of `label` or `text`; `text` for people.

    `basis` says how a number is known. It begins with exact (arithmetic of the server's own rules, to the
    byte), compiled (by the slice's compiler, with its date), scaled (from another model, slice or host),
    assumed, measured (code path, version), or simulated; or it names a source. It is empty for what was set.
    """

    section: str
    label: str
    value: object
    text: str
    basis: str = ""
