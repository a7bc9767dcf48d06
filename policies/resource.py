"""Resource in the form that rules read, from Pulumi's engine or from a recorded plan."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn


class NotKnownError(Exception):
    """Ends a rule that would judge a value which a preview does not know yet."""


class Unknown:
    """A text, number, list or object that a preview does not know yet.

    Whatever a rule does with it raises NotKnownError, so that no rule can judge it by mistake. A rule with
    more to judge asks first whether a value is Unknown.
    """

    def _judge(self, *_: object) -> NoReturn:
        raise NotKnownError

    __bool__ = __eq__ = __ne__ = __hash__ = __lt__ = __le__ = __gt__ = __ge__ = _judge  # type: ignore[assignment]
    __str__ = __int__ = __float__ = __len__ = __iter__ = __contains__ = __getitem__ = _judge  # type: ignore[assignment]

    def __getattr__(self, name: str) -> NoReturn:
        raise NotKnownError

    def __repr__(self) -> str:
        return "(not known yet)"


UNKNOWN = Unknown()


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

    def known(self, path: str) -> Any:
        """Returns the input at `path`, None if there is none. Raises NotKnownError if it is not known yet."""
        value = self.at(path)
        if isinstance(value, Unknown):
            raise NotKnownError
        return value

    def true(self, path: str) -> bool:
        """Returns whether the input at `path` is true. Raises NotKnownError if it is not known yet."""
        return self.known(path) is True

    def each(self, path: str) -> list[Any]:
        """Returns the list at `path`, empty if there is none. Raises NotKnownError if it is not known yet."""
        value = self.known(path)
        return list(value) if isinstance(value, list | tuple) else []


def given(value: Any) -> bool:
    """Returns whether an input has a value, known or not."""
    return isinstance(value, Unknown) or bool(value)


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
