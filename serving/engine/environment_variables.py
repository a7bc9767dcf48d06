"""The environment variables that the server's programs really read, by name.

`known_names.json` is generated from the wheels by `python -m tools.regenerate_known_names`, and names their
versions; tests/oracle regenerates and compares it. It is read only when someone uses extra_environment.
"""

import functools
import json
import re
from collections.abc import Mapping
from pathlib import Path

from serving.messages.suggest import nearest
from serving.messages.unsupported_options import FOREIGN

NAMES_FILE = Path(__file__).parent / "known_names.json"

# Libraries below the server read these without any list of them in Python.
FREE = ("LIBTPU_INIT_ARGS", "XLA_FLAGS", "TPU_STDERR_LOG_LEVEL", "TPU_MIN_LOG_LEVEL", "TF_CPP_MIN_LOG_LEVEL")

_SECRET = re.compile(r"TOKEN|API_KEY|SECRET|PASSWORD|CREDENTIAL|ACCESS_KEY")


@functools.cache
def known_names() -> Mapping[str, str]:
    """Variable name -> the package that reads it."""
    packages: dict[str, list[str]] = json.loads(NAMES_FILE.read_text("utf-8"))["names"]
    return {name: package for package, names in packages.items() for name in names} | dict.fromkeys(
        FREE, "libtpu"
    )


def extra_environment_problem(name: str, value: str, owned: Mapping[str, str]) -> str | None:
    """Why this pair cannot be set, as a sentence without its end; None when it can.

    `owned` maps the variables that typed fields render to those fields.
    """
    if name in owned:
        return f"{name} has a field of its own; set {owned[name]} instead"
    if name.lower() in FOREIGN:
        return f"{name}: {FOREIGN[name.lower()]}"
    if _SECRET.search(name):
        return f"{name} looks like a secret, which state would show; keep it in the secret store"
    if name not in known_names():
        near = nearest(name, [*owned, *known_names()], cutoff=0.75)
        field = owned.get(near) if near else None
        change = (
            f"the nearest is {near}, which is the field {field}"
            if field
            else f"the nearest is {near}"
            if near
            else "remove it"
        )
        return f"no program of the server reads {name}; {change}"
    if value == "":
        return f"{name} is empty, which the server reads as a value; write one or remove it"
    return None
