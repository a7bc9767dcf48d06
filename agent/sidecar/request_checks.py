"""Checks that send requests as clients do: chat, stream, tool call, schema, image, long prompt, many at once.

They require what the protocol promises, not good answers: only the operator's own prompts look at words. The
guard accepts every request here on every server that the project configures (agent/server/request_rules.py).
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from agent.sidecar import evidence, images
from agent.sidecar.client import Chat, Completion, Failed, Usage
from agent.sidecar.prompts import unique
from agent.sidecar.run import Run, Skipped

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
ANSWER_TOKENS = 16
SHORT_PROMPT_TOKENS = 32
LONGEST_PROMPT_ANSWER_TOKENS = 8
PROMPT_ANSWER_TOKENS = 512
"""Longest answer to an operator's prompt; expected words must occur in it."""

FORCED_TOKENS = 128
"""Longest constrained answer; a whole one has less than half of it."""

_FUNCTION: Mapping[str, Any] = {
    "type": "function",
    "function": {
        "name": "set_lamp",
        "description": "Switches a lamp.",
        "parameters": {
            "type": "object",
            "properties": {"color": {"enum": ["red", "green"]}, "on": {"type": "boolean"}},
            "required": ["color", "on"],
            "additionalProperties": False,
        },
    },
}
_SCHEMA_VALUES = ({"color": "red", "on": True}, {"color": "green", "on": False})
"""The only answers of the schema. They have an end: a model that prefers blanks cannot go on with them."""


def _user(content: object) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content}]


def _whole(usage: Usage, finish: str, tokens: int) -> None:
    """Requires an answer of exactly `tokens`, which the request made the server go on to."""
    if usage.completion_tokens != tokens or finish != "length":
        raise Failed(
            f"an answer that must have {tokens} tokens has {usage.completion_tokens} and ended by {finish!r}"
        )


async def chat(run: Run) -> str:
    """Sends one chat, as a client without settings would."""
    body = {
        "messages": _user(unique("Name a color of the sea.")),
        "max_completion_tokens": ANSWER_TOKENS,
    }
    answer = await run.client.ask(CHAT, body, Chat)
    usage, finish = answer.usage, answer.choices[0].finish_reason
    if not 1 <= usage.completion_tokens <= ANSWER_TOKENS or finish not in ("stop", "length"):
        raise Failed(
            f"a chat of at most {ANSWER_TOKENS} tokens has {usage.completion_tokens} and ended by {finish!r}"
        )
    return f"A chat of {usage.prompt_tokens} tokens was answered with {usage.completion_tokens}."


async def stream(run: Run) -> str:
    """Streams a chat of an exact number of tokens."""
    body = {
        "messages": _user(unique("Describe the sea.")),
        "max_completion_tokens": ANSWER_TOKENS,
        "ignore_eos": True,
    }
    received = await run.client.stream(CHAT, body)
    _whole(received.usage, received.finish_reason, ANSWER_TOKENS)
    return f"A stream of {ANSWER_TOKENS} tokens ended with its token counts and [DONE]."


async def tool_call(run: Run) -> str:
    """Requires a tool call. Where the server drafts tokens, nothing can be required."""
    if not run.settings.record.calls_tools:
        raise Skipped("The server parses no tool calls (engine.enable_auto_tool_choice is not set).")
    body = {
        "messages": _user(unique("Switch the red lamp on.")),
        "tools": [_FUNCTION],
        "max_completion_tokens": FORCED_TOKENS,
        "temperature": 0,
    }
    if run.settings.record.drafts:
        await run.client.ask(CHAT, {**body, "tool_choice": "auto"}, Chat)
        raise Skipped(
            "The server drafts tokens, so no tool call can be required of it; a request with tool_choice "
            "auto was answered."
        )
    strict = {**_FUNCTION, "function": {**_FUNCTION["function"], "strict": True}}
    required = {"tools": [strict], "tool_choice": "required", "parallel_tool_calls": False}
    answer = await run.client.ask(CHAT, {**body, **required}, Chat)
    calls = answer.choices[0].message.tool_calls or ()
    if len(calls) != 1:
        raise Failed(f"a chat that requires one tool call has {len(calls)} of them")
    function = calls[0].function
    if function.name != "set_lamp" or _json(function.arguments) is None:
        raise Failed(f"a required call of set_lamp is {function.name!r} with {function.arguments[:100]!r}")
    return "A required tool call has the function's name and arguments in JSON."


async def json_schema(run: Run) -> str:
    """Requires an answer of a JSON schema."""
    if run.settings.record.drafts:
        raise Skipped("The server drafts tokens, so an answer of it cannot follow a schema.")
    form = {"name": "lamp", "schema": {"enum": _SCHEMA_VALUES}}
    body = {
        "messages": _user(unique("Which lamp is on? Answer in JSON.")),
        "max_completion_tokens": FORCED_TOKENS,
        "temperature": 0,
        "response_format": {"type": "json_schema", "json_schema": form},
    }
    content = (await run.client.ask(CHAT, body, Chat)).choices[0].message.content or ""
    if _json(content) not in _SCHEMA_VALUES:
        raise Failed(f"an answer that must follow a JSON schema is {content[:100]!r}")
    return "An answer follows its JSON schema."


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


async def image(run: Run) -> str:
    """Sends an image that no server has seen before."""
    if not run.settings.server.images:
        raise Skipped("The server takes no images (engine.limit_mm_per_prompt).")
    counted = not run.settings.record.prepares_images and "compiled" not in run.settings.acceptance.off
    before = await evidence.settled_events(run.settings) if counted else None
    content = [
        {"type": "image_url", "image_url": {"url": images.data_url()}},
        {"type": "text", "text": unique("Which color is this?")},
    ]
    body = {"messages": _user(content), "max_completion_tokens": ANSWER_TOKENS}
    answer = await run.client.ask(CHAT, body, Chat)
    if before is not None:
        after = await evidence.settled_events(run.settings)
        run.image_programs = tuple(
            slow for slow in after.slow_after_warm_up if slow not in before.slow_after_warm_up
        )
    return f"An image and its question ({answer.usage.prompt_tokens} tokens) were answered."


async def longest_prompt(run: Run) -> str:
    """Sends a prompt that leaves room for a short answer and nothing else."""
    tokens = run.settings.server.max_model_len - LONGEST_PROMPT_ANSWER_TOKENS
    body = {
        "prompt": await run.tokens.of(tokens),
        "max_tokens": LONGEST_PROMPT_ANSWER_TOKENS,
        "ignore_eos": True,
    }
    answer = await run.client.ask(COMPLETIONS, body, Completion)
    if answer.usage.prompt_tokens != tokens:
        raise Failed(f"a prompt of {tokens} tokens was counted as {answer.usage.prompt_tokens}")
    _whole(answer.usage, answer.choices[0].finish_reason, LONGEST_PROMPT_ANSWER_TOKENS)
    return f"A prompt of {tokens} tokens was answered with {LONGEST_PROMPT_ANSWER_TOKENS} more."


async def many_at_once(run: Run) -> str:
    """Sends as many requests at once as the server runs."""
    number = run.settings.at_once
    prompts = [await run.tokens.of(SHORT_PROMPT_TOKENS) for _ in range(number)]

    async def one(prompt: list[int]) -> None:
        body = {"prompt": prompt, "max_tokens": ANSWER_TOKENS, "ignore_eos": True}
        answer = await run.client.ask(COMPLETIONS, body, Completion)
        _whole(answer.usage, answer.choices[0].finish_reason, ANSWER_TOKENS)

    ended = await asyncio.gather(*map(one, prompts), return_exceptions=True)
    failures = [result for result in ended if isinstance(result, Failed)]
    for result in ended:
        if isinstance(result, BaseException) and not isinstance(result, Failed):
            raise result
    if failures:
        raise Failed(
            f"{len(failures)} of {number} simultaneous requests failed, the first one so: {failures[0]}"
        )
    return f"{number} simultaneous requests were answered."


async def prompts(run: Run) -> str:
    """Sends the operator's own prompts and looks for the expected words."""
    asked = run.settings.acceptance.prompts
    if not asked:
        raise Skipped("The operator has no prompts (acceptance.prompts is empty).")
    wrong: list[str] = []
    for each in asked:
        room = min(PROMPT_ANSWER_TOKENS, run.settings.server.max_model_len // 2)
        body = {"messages": _user(each.prompt), "max_completion_tokens": room, "temperature": 0}
        content = (await run.client.ask(CHAT, body, Chat)).choices[0].message.content or ""
        missing = [word for word in each.expect if word.casefold() not in content.casefold()]
        if missing:
            words = " and ".join(map(repr, missing))
            wrong.append(f"the answer to {each.prompt[:80]!r} lacks {words}: {content[:120]!r}")
    if wrong:
        raise Failed("; ".join(wrong))
    return f"All {len(asked)} prompts of the operator have the expected words."
