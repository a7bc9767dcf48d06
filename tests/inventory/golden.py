"""The reviewed plans, read once for all tests of a run, and the day on which their prices were fresh."""

import functools
from datetime import date
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
STACKS = sorted(file.stem for file in FOLDER.glob("*.yaml"))


class ThatDay(date):
    """Prices age; the plan that was reviewed does not."""

    @classmethod
    def today(cls) -> "ThatDay":
        return cls(2026, 10, 15)


@functools.cache
def golden(stack: str) -> dict[str, Any]:
    """The plan of a stack as it was reviewed; who changes it copies it first."""
    # The parser in C: the plans have thousands of lines.
    return yaml.load((FOLDER / f"{stack}.yaml").read_bytes(), yaml.CSafeLoader)
