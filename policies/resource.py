"""Resource in the form that rules read, from Pulumi's engine or from a recorded plan."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


class Unknown(str):
    """A value that a preview does not know yet. A rule cannot judge it and reports nothing."""


UNKNOWN = Unknown("(not known yet)")


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource of a plan."""

    kind: str
    """Type token."""
    name: str
    """Logical name."""
    inputs: Mapping[str, Any]
    protect: bool = False
    ignored: tuple[str, ...] = ()
    """Properties in `ignoreChanges`."""
    provider: Mapping[str, Any] | None = None
    """Inputs of the explicit provider; None for a resource with the default provider."""
    urn: str = field(default="", compare=False)

    def at(self, path: str) -> Any:
        """Returns the input at a path such as `a.b.0.c`; None if there is none, UNKNOWN if a part of the path
        is not known yet."""
        value: Any = self.inputs
        for part in path.split("."):
            if isinstance(value, Unknown):
                return value
            if isinstance(value, Mapping):
                value = value.get(part)
            elif isinstance(value, list | tuple) and part.isdigit() and int(part) < len(value):
                value = value[int(part)]
            else:
                return None
        return value

    def each(self, path: str) -> list[Any]:
        """Returns the list at `path`, empty if there is none."""
        value = self.at(path)
        return list(value) if isinstance(value, list | tuple) else []


def strings(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yields every text inside a value, with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from strings(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from strings(item, f"{path}.{index}")


def short(kind: str) -> str:
    """Returns the last part of a type token: `Bucket` of `gcp:storage/bucket:Bucket`."""
    return kind.rsplit(":", 1)[1]
