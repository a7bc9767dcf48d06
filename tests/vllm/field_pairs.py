"""For every field that is honored: a request, and what to add so that the answer must change.

The tiny model is greedy at temperature 0, so the same request has the same answer. Where the first request is
random, the added field makes the second one certain.
"""

import json
from typing import Any, NamedTuple

CHAT, BATCH, COMPLETIONS = "/v1/chat/completions", "/v1/chat/completions/batch", "/v1/completions"
RESPONSES, MESSAGES, COUNT = "/v1/responses", "/v1/messages", "/v1/messages/count_tokens"
TOKENIZE, DETOKENIZE = "/tokenize", "/detokenize"

HELLO = [{"role": "user", "content": "Hello"}]
OTHER = [{"role": "user", "content": "Good evening, world"}]
BASE: dict[str, dict[str, Any]] = {
    CHAT: {"messages": HELLO, "max_tokens": 4, "temperature": 0},
    BATCH: {"messages": [HELLO, OTHER], "max_tokens": 4, "temperature": 0},
    COMPLETIONS: {"prompt": "Hello", "max_tokens": 4, "temperature": 0},
    RESPONSES: {"input": "Hello", "max_output_tokens": 4, "temperature": 0},
    MESSAGES: {"messages": HELLO, "max_tokens": 4, "temperature": 0},
    COUNT: {"messages": HELLO},
    TOKENIZE: {"messages": HELLO},
    DETOKENIZE: {"tokens": [300, 301]},
}


class Pair(NamedTuple):
    """`common` is added to the base of the protocol, and `change` to the second request only."""

    common: dict[str, Any]
    change: dict[str, Any]


SCHEMA = {
    "type": "object",
    "properties": {"color": {"enum": ["red", "blue"]}, "deep": {"type": "boolean"}},
    "required": ["color", "deep"],
    "additionalProperties": False,
}
IN_ORDER = {
    "type": "object",
    "properties": {name: {"const": True} for name in ("sea", "hill", "lake", "wood")},
    "required": ["sea", "hill", "lake", "wood"],
    "additionalProperties": False,
}
"""Without `strict`, a call may have these properties in any order and number."""
CHOICE = {"structured_outputs": {"choice": ["a b"]}}
HOT = {"temperature": 2, "max_tokens": 8}
TAG = {"type": "structural_tag", "format": {"type": "const_string", "value": "a b c"}}


def old_tag(*begins: str) -> dict[str, Any]:
    """The older form: after one of these texts comes 1."""
    structures = [{"begin": begin, "schema": {"enum": [1]}, "end": "x"} for begin in begins]
    return {"type": "structural_tag", "structures": structures, "triggers": [*begins]}


SPOKEN = old_tag(" word", " five")
"""First words of the tiny model in a chat and in a completion."""
NOT_SPECIAL = [*range(24, 600)]
"""Tokens of the tiny model: all bytes, characters and words."""
THOUGHT = {
    "type": "sequence",
    "elements": [{"type": "token", "token": 14}, {"type": "const_string", "value": "thought\nabc"}],
}
"""The answer of a model that thinks: 14 is the tiny model's <|channel>."""
TWO_CALLS = {
    "type": "sequence",
    "elements": 2
    * [
        {"type": "token", "token": 19},
        {"type": "const_string", "value": "call:f{}"},
        {"type": "token", "token": 20},
    ],
}
"""An answer with two tool calls: 19 and 20 are the tiny model's <|tool_call> and <tool_call|>."""
THINK_TOKEN = {
    "type": "sequence",
    "elements": [{"type": "token", "token": 16}, {"type": "const_string", "value": "a"}],
}


def tag(form: dict[str, Any]) -> dict[str, Any]:
    return {"structured_outputs": {"structural_tag": json.dumps({"type": "structural_tag", "format": form})}}


def function(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": SCHEMA, "strict": True, **more}}


def schema_format(schema: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}


REQUIRED = {"tools": [function("f")], "tool_choice": "required", "max_tokens": 30}
LOGPROBS = {"logprobs": True, "top_logprobs": 1}
STREAM = {"stream": True}

SAMPLING = {
    "temperature": Pair(HOT, {"temperature": 0}),
    "top_p": Pair(HOT, {"top_p": 1e-6}),
    "top_k": Pair(HOT, {"top_k": 1}),
}
STOPPING = {
    "repetition_detection": Pair(
        {"max_tokens": 8}, {"repetition_detection": {"max_pattern_size": 1, "min_count": 3}}
    ),
    "ignore_eos": Pair(CHOICE, {"ignore_eos": True}),
    "stop": Pair(CHOICE, {"stop": ["b"]}),
    "stop_token_ids": Pair({}, {"stop_token_ids": NOT_SPECIAL}),
    "include_stop_str_in_output": Pair({**CHOICE, "stop": ["b"]}, {"include_stop_str_in_output": True}),
}
CONSTRAINTS = {
    "structured_outputs": Pair({}, CHOICE),
    "structured_outputs.choice": Pair({}, CHOICE),
    "structured_outputs.json": Pair({}, {"structured_outputs": {"json": {"enum": ["a"]}}}),
    "structured_outputs.regex": Pair({}, {"structured_outputs": {"regex": "[a-c]{3}"}}),
    "structured_outputs.grammar": Pair({}, {"structured_outputs": {"grammar": 'root ::= "x" "y"'}}),
    "structured_outputs.json_object": Pair({}, {"structured_outputs": {"json_object": True}}),
    "structured_outputs.structural_tag": Pair({}, tag(TAG["format"])),
}
FORMATS = {
    "response_format": Pair({}, {"response_format": {"type": "json_object"}}),
    "response_format.type": Pair({}, {"response_format": {"type": "json_object"}}),
    "response_format.json_schema": Pair({}, {"response_format": schema_format({"enum": ["a"]})}),
    "response_format.json_schema.schema": Pair(
        {"response_format": schema_format({"enum": ["a"]})},
        {"response_format": schema_format({"enum": ["c"]})},
    ),
    "response_format.format": Pair({}, {"response_format": TAG}),
    "response_format.structures": Pair({}, {"response_format": SPOKEN}),
    "response_format.triggers": Pair({"response_format": old_tag("never")}, {"response_format": SPOKEN}),
}
STREAMING = {
    "stream": Pair({}, STREAM),
    "stream_options": Pair(STREAM, {"stream_options": {"include_usage": True}}),
    "stream_options.include_usage": Pair(STREAM, {"stream_options": {"include_usage": True}}),
    "stream_options.continuous_usage_stats": Pair(
        {**STREAM, "stream_options": {"include_usage": True}},
        {"stream_options": {"include_usage": True, "continuous_usage_stats": True}},
    ),
    "stream_interval": Pair(STREAM, {"stream_interval": 4}),
}
OUTPUT = {
    "model": Pair({}, {"model": "another"}),
    "max_tokens": Pair({}, {"max_tokens": 2}),
    "n": Pair({"temperature": 1, "top_k": 1}, {"n": 2}),
    "return_token_ids": Pair({}, {"return_token_ids": True}),
    "truncate_prompt_tokens": Pair({}, {"truncate_prompt_tokens": 3}),
    "truncation_side": Pair({"truncate_prompt_tokens": 4}, {"truncation_side": "right"}),
    "cache_salt": Pair({}, {"cache_salt": "PROMPT SEEN BEFORE"}),
    "use_beam_search": Pair({}, {"use_beam_search": True, "n": 2}),
}
TEMPLATE = {
    "messages": Pair({}, {"messages": OTHER}),
    "add_generation_prompt": Pair({}, {"add_generation_prompt": False}),
    "continue_final_message": Pair(
        {"messages": [*HELLO, {"role": "assistant", "content": "Good"}], "add_generation_prompt": False},
        {"continue_final_message": True},
    ),
    "add_special_tokens": Pair({}, {"add_special_tokens": True}),
    "chat_template_kwargs": Pair({}, {"chat_template_kwargs": {"enable_thinking": True}}),
    "chat_template_kwargs.enable_thinking": Pair({}, {"chat_template_kwargs": {"enable_thinking": True}}),
}
TOOLS = {
    "tools": Pair({}, {"tools": [function("f")]}),
    "tools.type": Pair({}, {"tools": [function("f")]}),
    "tools.function": Pair(REQUIRED, {"tools": [function("g")]}),
    "tools.function.name": Pair(REQUIRED, {"tools": [function("g")]}),
    "tools.function.description": Pair(
        {"tools": [function("f")]}, {"tools": [function("f", description="x")]}
    ),
    "tools.function.parameters": Pair(
        REQUIRED, {"tools": [function("f", parameters={**SCHEMA, "required": []})]}
    ),
    "tools.function.strict": Pair(
        {**REQUIRED, "max_tokens": 60, "tools": [function("f", parameters=IN_ORDER, strict=False)]},
        {"tools": [function("f", parameters=IN_ORDER)]},
    ),
}
LOG_PROBABILITIES = {
    "logprobs": Pair({}, LOGPROBS),
    "top_logprobs": Pair(LOGPROBS, {"top_logprobs": 3}),
    "return_tokens_as_token_ids": Pair(LOGPROBS, {"return_tokens_as_token_ids": True}),
}
TOOL_CHOICE = {
    "tool_choice": Pair({"tools": [function("f")], "max_tokens": 30}, {"tool_choice": "required"}),
    "parallel_tool_calls": Pair(
        {**tag(TWO_CALLS), "tools": [function("f", strict=False)], "max_tokens": 40},
        {"parallel_tool_calls": False},
    ),
}
CHAT_ONLY = {
    "max_completion_tokens": Pair({}, {"max_completion_tokens": 2}),
    "reasoning_effort": Pair({}, {"reasoning_effort": "low"}),
    "include_reasoning": Pair({**tag(THOUGHT), "max_tokens": 40}, {"include_reasoning": False}),
    "return_prompt_text": Pair({}, {"return_prompt_text": True}),
}


def joined(*groups: dict[str, Pair]) -> dict[str, Pair]:
    return {name: pair for group in groups for name, pair in group.items()}


def renamed(pairs: dict[str, Pair], **names: str) -> dict[str, Pair]:
    """The same pairs where a protocol has other names for the same fields."""

    def body(fields: dict[str, Any]) -> dict[str, Any]:
        return {names.get(name, name): value for name, value in fields.items()}

    return {names.get(name, name): Pair(body(pair.common), body(pair.change)) for name, pair in pairs.items()}


def chat_pairs() -> dict[str, Pair]:
    return joined(
        SAMPLING,
        STOPPING,
        CONSTRAINTS,
        FORMATS,
        STREAMING,
        OUTPUT,
        TEMPLATE,
        TOOLS,
        LOG_PROBABILITIES,
        TOOL_CHOICE,
        CHAT_ONLY,
    )


def batch_pairs() -> dict[str, Pair]:
    absent = ("use_beam_search", "n", "return_prompt_text")
    pairs = joined(SAMPLING, STOPPING, CONSTRAINTS, FORMATS, OUTPUT, TEMPLATE, LOG_PROBABILITIES, CHAT_ONLY)
    conversation = {**pairs["continue_final_message"].common}
    conversation["messages"] = [conversation["messages"]]
    return {
        **{name: pair for name, pair in pairs.items() if name not in absent},
        "messages": Pair({}, {"messages": [OTHER, HELLO]}),
        "continue_final_message": Pair(conversation, pairs["continue_final_message"].change),
    }


def completion_pairs() -> dict[str, Pair]:
    return {
        **joined(SAMPLING, STOPPING, CONSTRAINTS, FORMATS, STREAMING, OUTPUT),
        "prompt": Pair({}, {"prompt": [300, 301]}),
        "echo": Pair({}, {"echo": True}),
        "logprobs": Pair({}, {"logprobs": 2}),
        "return_tokens_as_token_ids": Pair({"logprobs": 1}, {"return_tokens_as_token_ids": True}),
        "skip_special_tokens": Pair(tag(THINK_TOKEN), {"skip_special_tokens": False}),
        "add_special_tokens": Pair({}, {"add_special_tokens": False}),
    }


def tokenize_pairs() -> dict[str, Pair]:
    return {
        **{name: pair for name, pair in TEMPLATE.items()},
        "model": OUTPUT["model"],
        "prompt": Pair({"messages": None, "prompt": "Hello"}, {"prompt": "Good"}),
        "return_token_strs": Pair({}, {"return_token_strs": True}),
        "tools": TOOLS["tools"],
        "tools.type": TOOLS["tools"],
        "tools.function": TOOLS["tools"],
        "tools.function.name": Pair({"tools": [function("f")]}, {"tools": [function("longer")]}),
        "tools.function.description": TOOLS["tools.function.description"],
    }
