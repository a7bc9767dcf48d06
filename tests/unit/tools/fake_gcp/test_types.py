"""Every type's example is accepted; each corruption of a name, a type or an enum in it is refused."""

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tools.fake_gcp.checks import check
from tools.fake_gcp.schema import discovery, kind, provider, sdk
from tools.fake_gcp.schema.example_parts import CONFIG, POOL
from tools.fake_gcp.schema.examples import EXAMPLES
from tools.fake_gcp.schema.kind import UNKNOWN, Kind

TOKENS = sorted(kind.every())
GRANT = re.compile(r"[iI][aA][mM]Member$")


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Each plain value with its path."""
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from leaves(item, (*path, name))
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path, value


def groups(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Each group's path."""
    if isinstance(value, dict):
        yield path
        for name, item in value.items():
            yield from groups(item, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from groups(item, (*path, index))


def changed(inputs: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """A copy with one value replaced."""
    result = copy.deepcopy(inputs)
    place: Any = result
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return result


def declared(of: Kind, path: tuple[Any, ...]) -> sdk.Field | None:
    """The SDK's declaration of the input at a path; None inside a map of free names."""
    fields, found = sdk.resource(of.token) or {}, None
    for part in path:
        if isinstance(part, int):
            found = found.item if found else None
        elif found and found.type == "map":
            return None
        else:
            found = fields.get(part)
        if found and found.type == "object":
            fields = sdk.nested(of.module, found.ref)
    return found


@pytest.mark.parametrize("token", TOKENS)
def test_the_example_is_accepted(token: str) -> None:
    assert token in EXAMPLES
    assert check.check(token, EXAMPLES[token], CONFIG) == []


@pytest.mark.parametrize("token", TOKENS)
def test_the_example_sets_what_the_sdk_requires(token: str) -> None:
    for name, field in (sdk.resource(token) or {}).items():
        if field.required:
            without = {key: value for key, value in EXAMPLES[token].items() if key != name}
            assert any(
                text.startswith(f"{token} needs {name!r}") for _, text in check.check(token, without, CONFIG)
            )


@pytest.mark.parametrize("token", TOKENS)
def test_each_misspelt_name_is_refused(token: str) -> None:
    of = kind.find(token)
    assert of
    tried = 0
    for path in groups(EXAMPLES[token]):
        here = declared(of, path)
        if path and (here is None or here.type == "map"):
            continue
        found = check.check(token, changed(EXAMPLES[token], (*path, "mispelt"), 1), CONFIG)
        assert any("has no input 'mispelt'" in text for _, text in found), path
        tried += 1
    assert tried


@pytest.mark.parametrize("token", TOKENS)
def test_each_value_of_another_type_is_refused(token: str) -> None:
    for path, value in leaves(EXAMPLES[token]):
        wrong: Any = "text" if isinstance(value, bool | int | float | dict | list) else {"a": 1}
        found = check.check(token, changed(EXAMPLES[token], path, wrong), CONFIG)
        assert found, path


@pytest.mark.parametrize("token", TOKENS)
def test_no_text_ends_the_stand_in(token: str) -> None:
    """Whatever a program writes is judged, even where a number was meant."""
    for path, value in leaves(EXAMPLES[token]):
        for strange in ("", "NO SUCH WORD", "-1", "\N{SNOWMAN}") if isinstance(value, str) else (-1, 0):
            for _, text in check.check(token, changed(EXAMPLES[token], path, strange), CONFIG):
                assert text.endswith("."), path


@pytest.mark.parametrize("token", TOKENS)
def test_each_enum_refuses_a_word_that_it_lacks(token: str) -> None:
    """A text of the example that the request holds where Google's document has an enum or a pattern."""
    of = kind.find(token)
    assert of
    for path, value in leaves(EXAMPLES[token]):
        if isinstance(value, str) and _enumerated(of, value, path[-1]):
            found = check.check(token, changed(EXAMPLES[token], path, "NO SUCH WORD"), CONFIG)
            assert any("NO SUCH WORD" in text for _, text in found), path


def _enumerated(of: Kind, value: str, name: Any) -> bool:
    for schema in discovery.document(of.api)["schemas"].values():
        node = schema.get("properties", {}).get(name, {})
        if value in node.get("enum", ()):
            return True
    return False


@pytest.mark.parametrize("token", TOKENS)
def test_unknown_values_of_a_preview_are_no_reason_to_refuse(token: str) -> None:
    """Values that the program computes from other resources are unknown in a preview, and must pass."""
    for path, value in leaves(EXAMPLES[token]):
        if isinstance(value, str) and value.startswith("projects/"):
            assert check.check(token, changed(EXAMPLES[token], path, UNKNOWN), CONFIG) == [], path


@pytest.mark.parametrize("token", TOKENS)
def test_the_table_names_only_inputs_that_exist(token: str) -> None:
    of = kind.find(token)
    assert of
    table = provider.of(token)
    paths = {*of.rename, *of.refs, *of.unsupported, *table.replaces, *table.filled, *table.sets}
    for path in sorted({*paths, *table.defaults, *table.values, *table.newer}):
        fields = sdk.resource(token) or {}
        for part in path.split("."):
            field = fields.get(part)
            assert field, f"{token}: {path}"
            while field.item:
                field = field.item
            fields = sdk.nested(of.module, field.ref) if field.type == "object" else {}


def test_grants_cannot_change_in_place() -> None:
    for token in filter(GRANT.search, TOKENS):
        assert {"role", "condition.expression"} <= provider.of(token).replaces


def test_an_unknown_type_is_refused_with_a_sentence() -> None:
    [(_, text)] = check.check("gcp:sql/databaseInstance:DatabaseInstance", {}, CONFIG)
    assert "does not know gcp:sql/databaseInstance:DatabaseInstance" in text


def test_a_secret_version_is_refused() -> None:
    [(_, text)] = check.check("gcp:secretmanager/secretVersion:SecretVersion", {"secretData": "x"}, CONFIG)
    assert "secret value" in text


def test_a_project_is_needed() -> None:
    found = check.check("gcp:container/nodePool:NodePool", {**POOL, "cluster": "serving"}, {})
    assert any("needs 'project', 'location'" in text for _, text in found)
