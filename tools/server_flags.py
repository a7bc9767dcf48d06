"""Lists every flag of `vllm serve`: runs in the model server's own Python and prints a JSON object.

The key is the flag's long name with underscores. The value says how the flag is spelled, its other spellings,
the kind of its value, whether it takes several, and the values that the parser allows.
"""

import argparse
import json
import os
import sys

# Without these variables the platform asks the metadata server for the machine type.
os.environ.update(JAX_PLATFORMS="cpu", TPU_ACCELERATOR_TYPE="v6e-4", TPU_NAME="flags", TPU_WORKER_ID="0")
os.environ.update(VLLM_LOGGING_LEVEL="ERROR", VLLM_PLUGINS="")

BY_NAME = {
    "int": "integer",
    "human_readable_int": "integer",
    "human_readable_int_or_auto": "integer",
    "float": "number",
    "str": "text",
    "parse_reasoning_parser": "text",
    "<lambda>": "text",
    "loads": "json",
    "union_dict_and_str": "json",
    "parse_dataclass": "json",
}
"""Kind of value by the name of the function that parses it (vllm/engine/arg_utils.py)."""


def parser_of_value(function):
    """Returns the innermost function that parses a value: arg_utils wraps it in `optional_type` and
    `parse_type`."""
    for cell in getattr(function, "__closure__", None) or ():
        if function.__name__ in ("_optional_type", "_parse_type") and callable(cell.cell_contents):
            return parser_of_value(cell.cell_contents)
    return function


def kind(action):
    """Returns the kind of the flag's value. Raises KeyError for a parser of values that is not in BY_NAME."""
    if isinstance(action, argparse.BooleanOptionalAction):
        return "switch"
    if action.nargs == 0:
        return "on"
    return "text" if action.type is None else BY_NAME[parser_of_value(action.type).__name__]


def rows(parser):
    """Returns the table of all flags."""
    table = {}
    for action in parser._actions:
        names = [name for name in action.option_strings if not name.startswith("--no-")]
        if not names or action.dest == "help":
            continue
        flag = next(name for name in names if name.startswith("--"))
        table[flag[2:].replace("-", "_")] = {
            "flag": flag,
            "aliases": [name for name in names if name != flag],
            "kind": kind(action),
            "many": action.nargs == "+" or isinstance(action, argparse._AppendAction),
            "choices": sorted(choice for choice in action.choices or () if choice is not None),
        }
    return dict(sorted(table.items()))


def main():
    """Returns the table. What vLLM prints while it is imported must not be among it."""
    from vllm.entrypoints.launchers.cli_args import make_arg_parser  # pyright: ignore[reportMissingImports]
    from vllm.utils.argparse_utils import FlexibleArgumentParser  # pyright: ignore[reportMissingImports]

    return rows(make_arg_parser(FlexibleArgumentParser()))


if __name__ == "__main__":
    stdout, sys.stdout = sys.stdout, sys.stderr
    json.dump(main(), stdout)
