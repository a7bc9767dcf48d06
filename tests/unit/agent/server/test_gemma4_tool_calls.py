"""Which schemas a strict call can follow, without vLLM; tests/vllm/test_tool_grammar.py has xgrammar."""

from types import SimpleNamespace
from typing import Any

import pytest

from agent.server.gemma4_tool_calls import Arguments, Unsupported, control_tokens, literal, structural_tag

QUOTE = 9


def ebnf(schema: Any, strict: bool = True) -> str:
    return Arguments(schema, strict, QUOTE, [1, 2]).ebnf


def closed(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


UNSUPPORTED = [
    (closed({"a": {"type": "string", "pattern": "x"}}), "'pattern' of string"),
    (closed({"a": {"type": "string", "maxLength": 3, "format": "date"}}), "'format' of string"),
    (closed({"a": {"type": "integer", "minimum": 3}}), "'minimum' of integer"),
    (closed({"a": {"type": "array", "items": {}, "uniqueItems": True}}), "'uniqueItems' of array"),
    (closed({"a": {"type": "object", "patternProperties": {}}}), "'patternProperties' of object"),
    (closed({"a": {"type": "object", "additionalProperties": {"type": "string"}}}), "'additionalProperties'"),
    (closed({"a": {"type": "date"}}), "type 'date'"),
    (closed({"a": {"not": {}}}), "'not'"),
    (closed({"a": False}), "False"),
    (closed({"a": {"enum": [[1]]}}), "an object or a list in 'enum'"),
    (closed({"a": {"$ref": "#/$defs/none"}}), "the reference '#/$defs/none'"),
    (closed({"a": {"$ref": "https://example.com/schema"}}), "the reference"),
    (closed({"a b": {}}), "the property name 'a b'"),
    (closed({"a:": {}}), "the property name 'a:'"),
    (closed({"": {}}), "the property name ''"),
    ({"type": "object", "properties": {"a": {}}, "additionalProperties": True}, "other than false"),
]


@pytest.mark.parametrize(("schema", "words"), UNSUPPORTED, ids=lambda value: str(value)[:70])
def test_what_a_strict_call_cannot_follow_is_named(schema: Any, words: str) -> None:
    with pytest.raises(Unsupported) as caught:
        ebnf(schema)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "schema",
    [schema for schema, words in UNSUPPORTED[:12] if words != "'additionalProperties'"],
    ids=lambda value: str(value)[:70],
)
def test_a_call_that_is_not_strict_may_have_any_value_there(schema: Any) -> None:
    assert '"a:" any' in ebnf(schema, strict=False)


@pytest.mark.parametrize(
    "schema", [None, {}, {"type": "object"}, {"type": "object", "properties": {}}, [], 3]
)
def test_a_function_without_parameters_gets_none(schema: Any) -> None:
    for strict in (True, False):
        assert ebnf(schema, strict).startswith('root ::= "{" "}"\n')


def test_a_schema_may_contain_itself() -> None:
    tree = closed({"left": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}, "left")
    assert "rule0" in ebnf(tree)


def test_texts_are_quoted_for_the_grammar() -> None:
    assert literal('a"b\\c\nd\te') == '"a\\"b\\\\c\\nd\\te"'


def test_tokens_of_control_are_the_tokenizers_and_those_of_calls() -> None:
    vocabulary = {"<eos>": 1, "<|tool_call>": 2, "<tool_call|>": 3, '<|"|>': 9, "word": 4}
    tokenizer = SimpleNamespace(get_vocab=lambda: vocabulary, all_special_tokens=["<eos>", "<gone>"])
    assert control_tokens(tokenizer) == {"<eos>": 1, "<|tool_call>": 2, "<tool_call|>": 3, '<|"|>': 9}


def test_a_function_that_cannot_be_strict_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    formats = SimpleNamespace(TokenFormat=SimpleNamespace)
    monkeypatch.setitem(__import__("sys").modules, "xgrammar", SimpleNamespace(structural_tag=formats))
    function = SimpleNamespace(name="f", strict=True, parameters=UNSUPPORTED[0][0])
    tokens = {"<|tool_call>": 2, "<tool_call|>": 3, '<|"|>': 9}
    with pytest.raises(Unsupported, match="the function 'f': 'pattern' of string"):
        structural_tag([function], "required", tokens)
