"""Every refused field and value of the tables, from the tables, and what depends on several fields."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from agent.server import request_rules
from agent.server.request_fields import By, Field, Table
from agent.server.request_tables import TABLES
from tests.unit.agent.stand_in import CHAT

COMPLETIONS, RESPONSES, MESSAGES = "/v1/completions", "/v1/responses", "/v1/messages"
TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}


def fields(table: Table, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Field]]:
    """Every field and part of a table with its path."""
    for name, field in table.items():
        yield (*above, name), field
        yield from fields(field.parts or {}, (*above, name))


def body(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """An object with `value` at `path`."""
    inner = value if len(path) == 1 else body(path[1:], value)
    return {path[0]: inner}


LIMITED = [
    (protocol, path, field)
    for protocol, table in TABLES.items()
    for path, field in fields(table)
    if field.only is not None
]


@pytest.mark.parametrize(("protocol", "path", "field"), LIMITED, ids=str)
def test_a_value_that_cannot_be_honored_gets_a_sentence(
    protocol: str, path: tuple[str, ...], field: Field
) -> None:
    for value in ("no such value", 0.73, {"no": "such"}, ["no such"]):
        refused = request_rules.refusal(protocol, body(path, value))
        assert refused is not None and refused.field == ".".join(path)
        assert refused.sentence.startswith("This server cannot honor") and refused.sentence.endswith(".")
        assert refused.field in refused.sentence and field.text.rstrip(".") in refused.sentence
        for neutral in field.only or ():
            assert json.dumps(neutral) in refused.sentence


@pytest.mark.parametrize(("protocol", "path", "field"), LIMITED, ids=str)
def test_neutral_values_pass(protocol: str, path: tuple[str, ...], field: Field) -> None:
    for value in (None, *(field.only or ())):
        refused = request_rules.refusal(protocol, body(path, value))
        assert refused is None or refused.field != ".".join(path)


def test_each_text_reads_as_part_of_a_sentence() -> None:
    for protocol, table in TABLES.items():
        for path, field in fields(table):
            where = f"{protocol} {path}"
            if field.by is By.NOBODY:
                assert field.only is not None and not field.text.endswith("."), where
                assert field.text[0].islower() or field.text.startswith("Gemma"), where
            else:
                assert field.text.endswith("."), where


DEPENDS = [
    (CHAT, {"use_beam_search": True, "n": 2, "top_p": 0.5}, "'top_p'"),
    ("/tokenize", {"prompt": "a", "messages": [{"role": "user", "content": "a"}]}, "'messages'"),
    (CHAT, {"stop_token_ids": [7], "structured_outputs": {"choice": ["a"]}}, "'stop_token_ids'"),
    (CHAT, {"stop_token_ids": [7], "response_format": {"type": "json_object"}}, "'stop_token_ids'"),
    (COMPLETIONS, {"stop_token_ids": [7], "structured_outputs": {"regex": "a"}}, "'stop_token_ids'"),
    (RESPONSES, {"stop_token_ids": [7], "text": {"format": {"type": "json_object"}}}, "'stop_token_ids'"),
    (CHAT, {"use_beam_search": True, "stop": ["a"], "response_format": {"type": "text"}}, "'stop', 'resp"),
    (COMPLETIONS, {"use_beam_search": True, "structured_outputs": {"regex": "a"}}, "'structured_outputs'"),
    (CHAT, {"temprature": 1}, "did you mean 'temperature'?"),
    (CHAT, {"guided_json": {}}, "does not know the field 'guided_json'"),
    (CHAT, {"x" * 1_000_000: 1}, f"'{'x' * 80}'"),
    (CHAT, {"stream_options": {"include_usages": True}}, "'stream_options.include_usages'"),
    (CHAT, {"tools": [TOOL, {"type": "mcp"}]}, "'tools.type'"),
    (CHAT, {"tools": [TOOL, {"function": {"name": "g", "defer_loading": True}}]}, "function.defer_loading'"),
    (CHAT, {"response_format": {"type": "json_schema", "json_schema": {"schemas": {}}}}, "'schema'?"),
    (CHAT, {"chat_template_kwargs": {"enable_thinkin": True}}, "'enable_thinking'?"),
    (CHAT, {"structured_outputs": {"json": {}, "whitespace_pattern": " "}}, "whitespace_pattern"),
    (RESPONSES, {"tools": [{"type": "web_search"}]}, "runs no tools of its own"),
    (
        RESPONSES,
        {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []}},
        "'tool_choice.type'",
    ),
    (RESPONSES, {"store": True}, "Leave it out or set it to false."),
    (RESPONSES, {"reasoning": {"effort": "low", "summary": "detailed"}}, 'or set it to "auto".'),
    (MESSAGES, {"thinking": {"type": "enabled", "budget_tokens": 2000}}, "'thinking.type'"),
    (MESSAGES, {"seed": 1}, "does not know the field 'seed'"),
    ("/v1/messages/count_tokens", {"max_tokens": 1}, "does not know the field"),
    ("/detokenize", {"tokens": [1], "skip_special_tokens": True}, "does not know the field"),
]


@pytest.mark.parametrize(("protocol", "asked", "words"), DEPENDS, ids=lambda value: str(value)[:60])
def test_the_sentence_names_the_field_and_what_to_change(
    protocol: str, asked: dict[str, Any], words: str
) -> None:
    refused = request_rules.refusal(protocol, asked)
    assert refused is not None and words in refused.sentence and len(refused.sentence) < 400


ORDINARY = [
    (CHAT, {"temperature": 0.5, "top_p": 0.9, "top_k": 40, "stop": "x", "n": 2, "stream": False}),
    (CHAT, {"stream": True, "stream_options": {"include_usage": True}, "user": "u", "metadata": {"a": "b"}}),
    (CHAT, {"use_beam_search": True, "n": 2, "max_tokens": 4, "ignore_eos": True}),
    (CHAT, {"use_beam_search": False, "top_p": 0.5, "length_penalty": 1.0}),
    (CHAT, {"stop_token_ids": [7], "response_format": {"type": "text"}}),
    (RESPONSES, {"stop_token_ids": [7], "text": {"format": {"type": "text"}}}),
    (COMPLETIONS, {"stop_token_ids": [], "structured_outputs": {"regex": "a"}}),
    (CHAT, {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "f"}}}),
    (CHAT, {"logit_bias": None, "no_such_field": None, "presence_penalty": 0, "frequency_penalty": 0.0}),
    (CHAT, {"min_p": 0.0, "repetition_penalty": 1.0, "bad_words": [], "logit_bias": {}, "min_tokens": 0}),
    (RESPONSES, {"input": "x", "store": False, "include": ["reasoning.encrypted_content"]}),
    (RESPONSES, {"text": {"format": {"type": "json_schema", "name": "n", "schema": {}, "strict": True}}}),
    (RESPONSES, {"tool_choice": {"type": "function", "name": "f"}, "tools": [{"type": "function"}]}),
    (
        MESSAGES,
        {"max_tokens": 3, "system": "s", "thinking": {"type": "adaptive"}, "metadata": {"user_id": "u"}},
    ),
    (MESSAGES, {"tools": [{"name": "f", "input_schema": {}, "cache_control": {"type": "ephemeral"}}]}),
    (MESSAGES, {"tool_choice": {"type": "any", "disable_parallel_tool_use": True}, "top_k": 3}),
    ("/unknown", {"seed": 1}),
    (CHAT, []),
    (CHAT, {"tools": "not a list", "stream_options": 3, "response_format": [1]}),
]


@pytest.mark.parametrize(("protocol", "asked"), ORDINARY, ids=str)
def test_ordinary_requests_pass(protocol: str, asked: Any) -> None:
    assert request_rules.refusal(protocol, asked) is None


SCHEMA = {"type": "json_schema", "schema": {"type": "object"}}
STRICT = {"type": "function", "function": {"name": "f", "parameters": {}, "strict": True}}
FLAT = {"type": "function", "name": "f", "parameters": {}}
ADDED = {"type": "tool_addition", "tool": {"definition": {"name": "g", "input_schema": {}, "strict": True}}}
BATCH = "/v1/chat/completions/batch"
CONSTRAINED = [
    *((path, {"structured_outputs": {"regex": "a"}}, "structured_outputs") for path in (CHAT, COMPLETIONS)),
    (RESPONSES, {"structured_outputs": {"choice": ["a"]}}, "structured_outputs"),
    *(
        (path, {"response_format": {"type": kind}}, "response_format")
        for path in (CHAT, BATCH, COMPLETIONS)
        for kind in ("json_object", "json_schema", "structural_tag")
    ),
    (RESPONSES, {"text": {"format": {**SCHEMA, "name": "n"}}}, "text.format"),
    (MESSAGES, {"output_config": {"format": SCHEMA}}, "output_config.format"),
    (MESSAGES, {"output_config": {"format": {"schema": {}}}}, "output_config.format"),
    (CHAT, {"tools": [TOOL], "tool_choice": "required"}, "tool_choice"),
    (CHAT, {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "f"}}}, "tool_choice"),
    (RESPONSES, {"tools": [FLAT], "tool_choice": {"type": "function", "name": "f"}}, "tool_choice"),
    (MESSAGES, {"tools": [{"name": "f"}], "tool_choice": {"type": "any"}}, "tool_choice"),
    (MESSAGES, {"tools": [{"name": "f"}], "tool_choice": {"type": "tool", "name": "f"}}, "tool_choice"),
    (CHAT, {"tools": [TOOL, STRICT]}, "tools.strict"),
    (RESPONSES, {"tools": [{**FLAT, "strict": True}], "tool_choice": "auto"}, "tools.strict"),
    (RESPONSES, {"tools": [{"type": "namespace", "tools": [{**FLAT, "strict": True}]}]}, "tools.strict"),
    (MESSAGES, {"tools": [{"name": "f", "strict": True}]}, "tools.strict"),
    (MESSAGES, {"messages": [{"role": "user", "content": [ADDED]}]}, "tools.strict"),
    (CHAT, {"tools": [TOOL], "parallel_tool_calls": False}, "parallel_tool_calls"),
    (
        MESSAGES,
        {"tools": [{"name": "f"}], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        "tool_choice.disable_parallel_tool_use",
    ),
]


@pytest.mark.parametrize(("protocol", "asked", "field"), CONSTRAINED, ids=str)
def test_an_engine_that_drafts_refuses_a_constrained_answer(
    protocol: str, asked: dict[str, Any], field: str
) -> None:
    assert request_rules.refusal(protocol, asked, drafts=False) is None
    assert request_rules.refusal(protocol, asked, drafts=True) == (
        field,
        f"This server cannot honor '{field}': it drafts tokens ahead, and on TPU an answer with drafts "
        "cannot be constrained. Leave it out.",
    )


FREE = [
    (CHAT, {"tools": [TOOL], "tool_choice": "auto", "parallel_tool_calls": True}),
    (CHAT, {"tools": [STRICT], "tool_choice": "none"}),
    (CHAT, {"parallel_tool_calls": False, "response_format": {"type": "text"}}),
    (CHAT, {"messages": [{"role": "user", "content": "a"}, 3, {"content": [3, {"type": "tool_addition"}]}]}),
    (COMPLETIONS, {"prompt": "a", "n": 2}),
    (RESPONSES, {"text": {"format": {"type": "text"}}, "tools": [{**FLAT, "strict": False}]}),
    (
        MESSAGES,
        {"tools": [{"name": "f"}], "tool_choice": {"type": "none"}, "output_config": {"effort": "low"}},
    ),
    (
        "/v1/messages/count_tokens",
        {"output_config": {"format": SCHEMA}, "tools": [{"name": "f", "strict": True}]},
    ),
    ("/tokenize", {"messages": [], "tools": [STRICT]}),
    (CHAT, []),
]


@pytest.mark.parametrize(("protocol", "asked"), FREE, ids=str)
def test_an_engine_that_drafts_answers_every_other_request(protocol: str, asked: Any) -> None:
    assert request_rules.refusal(protocol, asked, drafts=True) is None
