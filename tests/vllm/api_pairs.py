"""Pairs of responses, messages and count_tokens; and `PAIRS`, all pairs by path (see `field_pairs`)."""

from typing import Any

from tests.vllm.field_pairs import (
    BATCH,
    CHAT,
    COMPLETIONS,
    CONSTRAINTS,
    COUNT,
    DETOKENIZE,
    IN_ORDER,
    MESSAGES,
    OTHER,
    OUTPUT,
    RESPONSES,
    SAMPLING,
    SCHEMA,
    STOPPING,
    STREAM,
    TEMPLATE,
    THOUGHT,
    TOKENIZE,
    TWO_CALLS,
    Pair,
    batch_pairs,
    chat_pairs,
    completion_pairs,
    function,
    joined,
    renamed,
    tag,
    tokenize_pairs,
)


def flat(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "function", **function(name, **more)["function"]}


CUSTOM = {"type": "custom", "name": "h"}
FLAT_REQUIRED = {"tools": [flat("f")], "tool_choice": "required", "max_output_tokens": 30}
TEXT = {"text": {"format": {"type": "json_schema", "name": "n", "schema": {"enum": ["a"]}}}}
OTHER_TEXT = {"text": {"format": {"type": "json_schema", "name": "n", "schema": {"enum": ["c"]}}}}
INCLUDED = {"include": ["message.output_text.logprobs"], "top_logprobs": 1}
LONG = [{"role": "user", "content": "long " * 200}]


def responses_pairs() -> dict[str, Pair]:
    shared = joined(SAMPLING, STOPPING, CONSTRAINTS)
    shared.pop("repetition_detection")
    return {
        **renamed(shared, max_tokens="max_output_tokens"),
        **{name: TEMPLATE[name] for name in ("chat_template_kwargs", "chat_template_kwargs.enable_thinking")},
        **{name: OUTPUT[name] for name in ("model", "cache_salt")},
        "input": Pair({}, {"input": [{"role": "user", "content": "Good evening"}]}),
        "instructions": Pair({}, {"instructions": "Sing"}),
        "max_output_tokens": Pair({}, {"max_output_tokens": 2}),
        "include": Pair({"top_logprobs": 1}, INCLUDED),
        "top_logprobs": Pair(INCLUDED, {"top_logprobs": 3}),
        "reasoning": Pair({}, {"reasoning": {"effort": "low"}}),
        "reasoning.effort": Pair({}, {"reasoning": {"effort": "low"}}),
        "include_reasoning": Pair({**tag(THOUGHT), "max_output_tokens": 40}, {"include_reasoning": False}),
        "text": Pair({}, TEXT),
        "text.format": Pair({}, TEXT),
        "text.format.type": Pair(TEXT, {"text": {"format": {"type": "text"}}}),
        "text.format.schema": Pair(TEXT, OTHER_TEXT),
        "tools": Pair({}, {"tools": [flat("f")]}),
        "tools.type": Pair(FLAT_REQUIRED, {"tools": [CUSTOM]}),
        "tools.name": Pair(FLAT_REQUIRED, {"tools": [flat("g")]}),
        "tools.description": Pair({"tools": [flat("f")]}, {"tools": [flat("f", description="x")]}),
        "tools.parameters": Pair(
            FLAT_REQUIRED, {"tools": [flat("f", parameters={**SCHEMA, "required": []})]}
        ),
        "tools.strict": Pair(
            {
                **FLAT_REQUIRED,
                "max_output_tokens": 60,
                "tools": [flat("f", parameters=IN_ORDER, strict=False)],
            },
            {"tools": [flat("f", parameters=IN_ORDER)]},
        ),
        "tools.tools": Pair(
            {}, {"tools": [{"type": "namespace", "name": "s", "description": "d", "tools": [flat("f")]}]}
        ),
        "tool_choice": Pair({**FLAT_REQUIRED, "tool_choice": "none"}, {"tool_choice": "required"}),
        "tool_choice.type": Pair(
            {**FLAT_REQUIRED, "tools": [flat("f"), CUSTOM]}, {"tool_choice": {"type": "custom", "name": "h"}}
        ),
        "tool_choice.name": Pair(
            {
                **FLAT_REQUIRED,
                "tools": [flat("f"), flat("g")],
                "tool_choice": {"type": "function", "name": "f"},
            },
            {"tool_choice": {"type": "function", "name": "g"}},
        ),
        "parallel_tool_calls": Pair(
            {**tag(TWO_CALLS), "tools": [flat("f", strict=False)], "max_output_tokens": 40},
            {"parallel_tool_calls": False},
        ),
        "stream": Pair({}, STREAM),
        "truncation": Pair({"input": LONG}, {"truncation": "auto"}),
        "enable_response_messages": Pair({}, {"enable_response_messages": True}),
    }


def named(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "input_schema": SCHEMA, "strict": True, **more}


NAMED_REQUIRED = {"tools": [named("f")], "tool_choice": {"type": "any"}, "max_tokens": 30}
OUTPUT_FORMAT = {"output_config": {"format": {"type": "json_schema", "schema": {"enum": ["a"]}}}}
OTHER_OUTPUT_FORMAT = {"output_config": {"format": {"type": "json_schema", "schema": {"enum": ["c"]}}}}
EFFORT = {"output_config": {"effort": "low"}}


def count_pairs() -> dict[str, Pair]:
    return {
        **{name: TEMPLATE[name] for name in ("chat_template_kwargs", "chat_template_kwargs.enable_thinking")},
        "model": OUTPUT["model"],
        "messages": Pair({}, {"messages": OTHER}),
        "system": Pair({}, {"system": "Sing"}),
        "thinking": Pair(EFFORT, {"thinking": {"type": "disabled"}}),
        "thinking.type": Pair(EFFORT, {"thinking": {"type": "disabled"}}),
        "output_config": Pair({}, EFFORT),
        "output_config.effort": Pair({}, EFFORT),
        "tools": Pair({}, {"tools": [named("f")]}),
        "tools.name": Pair({"tools": [named("f")]}, {"tools": [named("longer")]}),
        "tools.description": Pair({"tools": [named("f")]}, {"tools": [named("f", description="x")]}),
    }


def messages_pairs() -> dict[str, Pair]:
    return {
        **count_pairs(),
        **SAMPLING,
        **{name: OUTPUT[name] for name in ("max_tokens", "cache_salt")},
        "stop_sequences": Pair({"max_tokens": 40, **OUTPUT_FORMAT}, {"stop_sequences": ["a"]}),
        "stream": Pair({}, STREAM),
        "output_config.format": Pair({}, OUTPUT_FORMAT),
        "output_config.format.type": Pair({}, OUTPUT_FORMAT),
        "output_config.format.schema": Pair(OUTPUT_FORMAT, OTHER_OUTPUT_FORMAT),
        "tools.input_schema": Pair(
            NAMED_REQUIRED, {"tools": [named("f", input_schema={**SCHEMA, "required": []})]}
        ),
        "tools.strict": Pair(
            {**NAMED_REQUIRED, "max_tokens": 60, "tools": [named("f", input_schema=IN_ORDER, strict=False)]},
            {"tools": [named("f", input_schema=IN_ORDER)]},
        ),
        "tools.type": Pair({"tools": [named("f")]}, {"tools": [named("longer", type="custom")]}),
        "tool_choice": Pair({"tools": [named("f")], "max_tokens": 30}, {"tool_choice": {"type": "any"}}),
        "tool_choice.type": Pair(NAMED_REQUIRED, {"tool_choice": {"type": "none"}}),
        "tool_choice.name": Pair(
            {
                **NAMED_REQUIRED,
                "tools": [named("f"), named("g")],
                "tool_choice": {"type": "tool", "name": "f"},
            },
            {"tool_choice": {"type": "tool", "name": "g"}},
        ),
    }


PAIRS: dict[str, dict[str, Pair]] = {
    CHAT: chat_pairs(),
    BATCH: batch_pairs(),
    COMPLETIONS: completion_pairs(),
    RESPONSES: responses_pairs(),
    MESSAGES: messages_pairs(),
    COUNT: count_pairs(),
    TOKENIZE: tokenize_pairs(),
    DETOKENIZE: {"model": OUTPUT["model"], "tokens": Pair({}, {"tokens": [302]})},
}
