"""Staging and prod differ only where their files say so: each difference, under the line that makes it.

The walk goes from staging's plan to prod's, one step a line: first the stack's name, then each key of the two
files that differs. What a step changes is written under it. After the last step the plan is prod's own, so no
difference can hide. Regenerate after an intended change: python -m pytest tests/inventory --update
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.inventory.golden import ThatDay
from tests.inventory.recorder import Inventory, deployable, record, stack_config
from tests.inventory.test_inventory import inventory_of

GOLDEN = Path(__file__).parent / "staging-to-prod.txt"
ABSENT = "(not there)"
HEAD = "# From staging's plan to prod's: what each difference of the two stack files changes.\n"

Leaves = dict[str, Any]


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every single value with its path."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from leaves(item, f"{path} {key}" if path else key)
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from leaves(item, f"{path} {index}")
    else:
        yield path, value


def configuration(stack: str) -> Leaves:
    """A stack file's keys, one level into the groups: `target capacity` is one, with all its fields."""
    found: Leaves = {}
    for key, text in deployable(stack_config(stack)).items():
        try:
            value = json.loads(text)
        except json.JSONDecodeError:
            value = text
        if isinstance(value, dict):
            found |= {f"{key} {name}": item for name, item in value.items()}
        else:
            found[key] = value
    return found


def plan_of(stack: str, settings: Leaves) -> Leaves:
    """All that the program declares for these settings under this stack's name, and its outputs."""
    config: dict[str, Any] = {}
    for key, value in settings.items():
        name, _, inner = key.partition(" ")
        if inner:
            config.setdefault(name, {})[inner] = value
        else:
            config[name] = value
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stacks.outputs.date", ThatDay)
        patch.setattr("stacks.sidecar_settings.commit", lambda: "COMMIT")
        made = record(stack, texts, {"foundation": inventory_of("foundation").outputs})
    return flat(made)


def flat(plan: Inventory) -> Leaves:
    """A plan's single values. Each resource has one more, so that one without any is seen too."""
    return dict(leaves({"outputs": plan.outputs, **{k: {"": "", **v} for k, v in plan.resources.items()}}))


def named(stack: str, plan: Leaves) -> Leaves:
    """A plan in which the stack's name is said to be <stack>, in paths and values."""

    def tell(text: str) -> str:
        # A host name (with a dot after it) is what a stack file says.
        return re.sub(rf"\b(tpuserve|server|key|pods)-{stack}\b(?!\.)", r"\1-<stack>", text)

    return {
        tell(path): "<stack>" if value == stack else tell(value) if isinstance(value, str) else value
        for path, value in plan.items()
    }


def differences(old: Leaves, new: Leaves) -> Iterator[str]:
    """One line for each value that is another; a resource that comes or goes is one line."""
    shown: set[str] = set()
    for path in sorted({*old, *new}):
        before, after = old.get(path, ABSENT), new.get(path, ABSENT)
        if before == after:
            continue
        resource = path.split(" ")[0]
        there = [any(each.split(" ")[0] == resource for each in plan) for plan in (old, new)]
        if all(there):
            yield f"{path}: {before} -> {after}"
        elif resource not in shown:
            shown.add(resource)
            yield f"{resource}: {'deleted' if there[0] else 'created'}"


def steps() -> Iterator[tuple[str, list[str]]]:
    """Yields each difference and the parts of the plan that follow from it, then checks that none is left."""
    settings, goal = configuration("staging"), configuration("prod")
    before = named("staging", plan_of("staging", settings))
    now = named("prod", plan_of("prod", settings))
    yield "the stack's name: staging -> prod", list(differences(before, now))
    for key in sorted({*settings, *goal}):
        before, after = settings.get(key, ABSENT), goal.get(key, ABSENT)
        if before == after:
            continue
        settings = {name: value for name, value in {**settings, key: after}.items() if value != ABSENT}
        new = named("prod", plan_of("prod", settings))
        yield f"{key}: {before} -> {after}", list(differences(now, new))
        now = new
    assert now == named("prod", flat(inventory_of("prod")))


def test_every_difference_has_its_line(pytestconfig: pytest.Config) -> None:
    text = HEAD
    for cause, changes in steps():
        assert changes or "name" in cause, f"{cause} changes nothing: leave it out of the stack file"
        text += f"\n{cause}\n" + "".join(f"    {line}\n" for line in changes)
    if pytestconfig.getoption("--update"):
        GOLDEN.write_text(text, "utf-8")
    assert GOLDEN.exists() and text == GOLDEN.read_text("utf-8"), (
        f"staging and prod differ otherwise than {GOLDEN.name} says; if that is meant: "
        "python -m pytest tests/inventory --update, and review the diff"
    )
