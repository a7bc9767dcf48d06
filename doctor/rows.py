"""Rows of a case: the checks that apply to it, made one after another."""

from collections.abc import Iterator
from dataclasses import dataclass

from doctor.case import Case
from doctor.google import Absent, Refused
from doctor.outcome import Outcome, State, missing, not_asked
from doctor.table import CHECKS, Check


@dataclass(frozen=True)
class Row:
    """One check of one stack, as it is shown."""

    check: str
    state: State
    sentence: str


def rows(case: Case, *, offline: bool) -> Iterator[Row]:
    """Yields a row for each check that applies to the stack. A check that fails has a row as well."""
    ended_by: str | None = None
    for check in CHECKS:
        if case.target.kind not in check.kinds or not check.applies(case):
            continue
        if offline and check.source != "this machine":
            outcome = not_asked(f"{check.asks_for} could not be asked for: leave out --offline.")
        elif ended_by and check.source == "Google":
            outcome = not_asked(f"{check.asks_for} could not be asked for: see the row {ended_by}.")
        else:
            outcome = _outcome(check, case)
        if outcome.ends_asking:
            ended_by = check.name
        yield Row(check.name, outcome.state, outcome.sentence)


def _outcome(check: Check, case: Case) -> Outcome:
    try:
        return check.run(case)
    except Refused as refusal:
        return missing(f"{check.asks_for} could not be read, because {refusal}.")
    except Absent:
        return missing(
            f"{check.asks_for} could not be read, because Google shows you no such resource in "
            f"{case.target.project}: fix target.project, or ask its owner for a role."
        )
    except OSError as error:
        return missing(
            f"{check.asks_for} could not be read ({error}): see that this machine lets you read it."
        )
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        # An answer in another form than Google documents must not hide the other rows.
        return missing(
            f"{check.asks_for} could not be understood ({type(error).__name__}: {error}): compare the answer "
            "with Google's documentation, and report this."
        )
