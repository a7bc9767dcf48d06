"""Declarations of the real provider: the inputs of each resource type, read from pulumi-gcp's Python SDK.

The SDK is generated from the provider's schema, so the names, the types and the required inputs are the
provider's own, of exactly the version that the program imports. The text is read instead of imported:
importing one service costs seconds, and the plugin starts with each command of the CLI.
"""

import functools
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Type = Literal["string", "integer", "number", "boolean", "object", "list", "map", "asset", "any"]

SCALARS: dict[str, Type] = {
    "_builtins.str": "string",
    "_builtins.int": "integer",
    "_builtins.float": "number",
    "_builtins.bool": "boolean",
    "Any": "any",
}


@dataclass(frozen=True)
class Field:
    """One input: `item` is the element of a list or map, `ref` the nested class of an object."""

    type: Type
    required: bool = False
    item: "Field | None" = None
    ref: str = ""


def package() -> Path:
    """Returns the folder of the installed SDK."""
    spec = importlib.util.find_spec("pulumi_gcp")
    assert spec and spec.origin, "pulumi-gcp is not installed: run pip install -r requirements/dev.txt"
    return Path(spec.origin).parent


def version() -> str:
    """Returns the SDK's version, which is the plugin version that the CLI will request."""
    import importlib.metadata

    return importlib.metadata.version("pulumi-gcp")


def camel(snake: str) -> str:
    """Returns `node_config` as `nodeConfig`, as the SDK's generator names them."""
    head, *rest = snake.split("_")
    return head + "".join(word[:1].upper() + word[1:] for word in rest)


def snake(name: str) -> str:
    """Returns `iAMMember` as `iam_member`, `v2Vm` as `v2_vm`: the SDK's file name of a type token's middle
    part."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name[0].upper() + name[1:])
    return re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", words).lower()


def _parse(text: str, required: bool) -> Field:
    text = text.strip()
    while True:
        for wrapper in ("NotRequired[", "pulumi.Input[", "Optional["):
            if text.startswith(wrapper):
                text = text[len(wrapper) : -1].strip()
                break
        else:
            break
    if text in SCALARS:
        return Field(SCALARS[text], required)
    if text.startswith("Sequence["):
        return Field("list", required, _parse(text[len("Sequence[") : -1], False))
    if text.startswith("Mapping["):
        return Field("map", required, _parse(text.split(",", 1)[1][:-1], False))
    if reference := re.fullmatch(r"'(\w+?)Args(?:Dict)?'", text):
        return Field("object", required, None, reference[1])
    if "pulumi.Asset" in text or "pulumi.Archive" in text:
        return Field("asset", required)
    raise AssertionError(f"the SDK declares a type that this reader does not know: {text}")


@functools.cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@functools.cache
def resource(token: str) -> dict[str, Field] | None:
    """Returns the inputs by name of a type such as `gcp:container/nodePool:NodePool`; None when the SDK lacks
    it."""
    found = re.fullmatch(r"gcp:(\w+)/(\w+):(\w+)", token)
    if found is None:
        return None
    module, middle, name = found.groups()
    path = package() / module / f"{snake(middle)}.py"
    if not path.exists():
        return None
    signature = re.search(
        rf"^class {name}Args:\n    def __init__\(__self__(?:, \*,)?(.*?)\):\n", _text(path), re.S | re.M
    )
    if signature is None:
        return None
    fields: dict[str, Field] = {}
    for line in signature[1].split("\n"):
        if parts := re.fullmatch(r"\s*(\w+): (.*?)( = None)?,?", line):
            fields[camel(parts[1])] = _parse(parts[2], parts[3] is None)
    return fields


def innermost(field: Field) -> Field:
    """Return the field itself, or the one inside its lists and maps."""
    while field.item:
        field = field.item
    return field


def texts(token: str) -> dict[str, str]:
    """Return descriptions of a type's inputs by name, as far as the SDK has them."""
    module, middle, name = token.removeprefix("gcp:").replace("/", ":").split(":")
    text = _text(package() / module / f"{snake(middle)}.py")
    start = text.index('"""', text.index(f"\nclass {name}Args:\n")) + 3
    parts = re.split(r"\n +:param ", text[start : text.index('"""', start)])[1:]
    found = (re.match(r"pulumi\.Input\[.*?\] (\w+): (.*)", part, re.S) for part in parts)
    return {camel(each[1]): each[2] for each in found if each}


def nested_texts(module: str, ref: str) -> dict[str, str]:
    """Return descriptions of a nested class's inputs by name."""
    found = re.findall(r'^    (\w+): [^\n]*\n    """(.*?)"""', _nested_block(module, ref), re.S | re.M)
    return {camel(name): text for name, text in found}


@functools.cache
def settings() -> frozenset[str]:
    """Returns the names of the provider's own settings: project, region, defaultLabels ..."""
    signature = re.search(
        r"^class ProviderArgs:\n    def __init__\(__self__(?:, \*,)?(.*?)\):\n",
        _text(package() / "provider.py"),
        re.S | re.M,
    )
    assert signature
    return frozenset(camel(name) for name in re.findall(r"^\s*(\w+): ", signature[1], re.M))


@functools.cache
def nested(module: str, ref: str) -> dict[str, Field]:
    """Inputs by name of the nested class `ref` (without `Args`) of a service such as `container`."""
    block = re.sub(r'""".*?"""', "", _nested_block(module, ref), flags=re.S)
    return {
        camel(name): _parse(declared, not declared.startswith("NotRequired["))
        for name, declared in re.findall(r"^    (\w+): (.*)$", block, re.M)
    }


def _nested_block(module: str, ref: str) -> str:
    text = _text(package() / module / "_inputs.py")
    start = text.index(f"\nclass {ref}ArgsDict(TypedDict):\n")
    return text[start : text.index("\n@pulumi.input_type", start)]
