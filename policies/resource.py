"""What a rule sees of a resource, whether it comes from the engine or from a recorded plan."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


class Unknown(str):
    """A value that a preview does not know yet: whoever meets it cannot judge, and lets it pass."""


UNKNOWN = Unknown("(not known yet)")


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource. `kind` is its type token. `provider` has its provider's inputs, None when the
    resource has only the default one."""

    kind: str
    name: str
    inputs: Mapping[str, Any]
    protect: bool = False
    ignored: tuple[str, ...] = ()
    provider: Mapping[str, Any] | None = None
    urn: str = field(default="", compare=False)

    def at(self, path: str) -> Any:
        """The input at `a.b.0.c`; None when nothing is there, UNKNOWN when a part of the way is not known."""
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
        """The list at `path`, empty when there is none."""
        value = self.at(path)
        return list(value) if isinstance(value, list | tuple) else []


def strings(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text inside a value, with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from strings(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from strings(item, f"{path}.{index}")


def short(kind: str) -> str:
    """The last part of a type token: `Bucket` of `gcp:storage/bucket:Bucket`."""
    return kind.rsplit(":", 1)[1]
