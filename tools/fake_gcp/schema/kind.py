"""Facts about one resource type beyond the SDK, the documents and the provider's table."""

import functools
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Values = Mapping[str, Any]
Translate = Callable[[Any], dict[str, Any]]
"""Function from one Pulumi input to the part of the API's message that it becomes."""

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""Value by which the engine writes what a preview does not know (sdk/go/common/resource/plugin/rpc.go)."""

OWN: Mapping[str, str | Translate] = {
    # Inputs of the provider itself, or parts of the URL; no Google message has them.
    "deletionPolicy": "",
    "project": "",
    "location": "",
    "region": "",
    "zone": "",
}


@dataclass(frozen=True)
class Kind:
    """One resource type.

    `method` is the id of the API method that creates it, and `body` the path inside that method's request
    where inputs go (empty: the request itself). `rename` says where an input goes when its name differs:
    an empty text means "not in the body", `a.b` nests, `a[]` makes a list of one, a leading `/` counts
    from the request's root, and a function builds the part itself. `url` gives the method's parameters.
    `refs` names inputs that point at another type. `computed` are outputs that Google sets, as templates over
    the inputs, `{project}`, `{number}` and `{id}`. `defaults` stand in for URL parts that neither resource
    nor provider sets. `unsupported` inputs are refused with a reason. `minutes` is how long the real
    provider waits for the creation, `known` the computed outputs that it already knows in a preview, and
    `outlives` says that Google keeps the thing, and its name, after a deletion.
    """

    token: str
    method: str
    id: str
    body: str = ""
    rename: Mapping[str, str | Translate] = field(default_factory=dict)
    url: Mapping[str, str] = field(default_factory=dict)
    refs: Mapping[str, str] = field(default_factory=dict)
    computed: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    unsupported: Mapping[str, str] = field(default_factory=dict)
    minutes: int = 20
    known: tuple[str, ...] = ()
    outlives: bool = False

    @property
    def module(self) -> str:
        """Returns the SDK's module: `container` of `gcp:container/nodePool:NodePool`."""
        return self.token.split(":")[1].split("/")[0]

    @property
    def api(self) -> str:
        """Returns the API's name: `container`."""
        return self.method.split(".")[0]

    def target(self, path: str) -> str | Translate | None:
        """Returns the destination of the input at `path`; None when the names agree or it is unknown."""
        return self.rename.get(path, OWN.get(path) if "." not in path else None)


KINDS: dict[str, Kind] = {}


def add(*kinds: Kind) -> None:
    """Register types; called by the modules of `tools.fake_gcp.schema.kinds`."""
    for kind in kinds:
        assert kind.token not in KINDS, kind.token
        KINDS[kind.token] = kind


@functools.cache
def every() -> dict[str, Kind]:
    """Returns all types by token."""
    package = importlib.import_module("tools.fake_gcp.schema.kinds")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"tools.fake_gcp.schema.kinds.{module.name}")
    return KINDS


def find(token: str) -> Kind | None:
    """Returns the type with that token, or None."""
    return every().get(token)


def has_unknown(value: Any) -> bool:
    """Returns whether a value, or anything inside it, is not known yet."""
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(has_unknown(item) for item in value)
    return value == UNKNOWN


def at(values: Any, path: str) -> Any:
    """Returns the value at `a.b.c`; lists give the first element; None where there is none."""
    for part in path.split("."):
        if isinstance(values, list):
            values = values[0] if values else None
        if values == UNKNOWN:
            return UNKNOWN
        if not isinstance(values, Mapping):
            return None
        values = values.get(part)
    return values
