"""Rules for requests to vLLM 0.32 on TPU, and the sentence for each request that is refused.

`agent.server.request_tables` decides on single fields; the rules here are about fields that depend on each
other. They look at parsed JSON, as vLLM does, not at bytes: `"\\u0073eed"` is `"seed"`.
"""

import difflib
import json
import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from agent.server.request_fields import By, Field, Table, is_array, is_object
from agent.server.request_tables import TABLES

CHAT = ("/v1/chat/completions", "/v1/chat/completions/batch")
COMPLETIONS = ("/v1/completions",)
RESPONSES = ("/v1/responses",)
MESSAGES = ("/v1/messages",)
ANSWERING = (*CHAT, *COMPLETIONS, *RESPONSES, *MESSAGES)
"""Paths on which the model writes an answer."""

DRAFTS_VARIABLE = "TPUSERVE_DRAFTS"
"""Set to 1 where the engine drafts tokens (--speculative-config)."""

OPEN = frozenset({("GET", "/health"), ("GET", "/ready"), ("GET", "/metrics")})
"""Requests of probes and of the metrics collector, which are answered without a key. vLLM has no `/ready`;
the guard answers it."""

OFFERED = OPEN | {("GET", "/v1/models"), ("GET", "/version"), *(("POST", path) for path in TABLES)}
"""Every other endpoint of vLLM 0.32 is refused: /scale_elastic_ep changes the server, /invocations repeats
these endpoints under another name, /generative_scoring answers 500 on TPU, /v1/decisions and /v1/systemone
are not for this model, /inference/v1/* and (de)render need --enable-scale-out, /v1/responses/{id} needs a
store."""

BEAM_IGNORES = (
    *("top_p", "top_k", "stop", "stop_token_ids", "logprobs", "repetition_detection", "tools"),
    *("response_format", "structured_outputs"),
)
"""Fields that vllm/entrypoints/generate/beam_search/online.py does not pass on."""


NAME_CHARACTERS = 80
"""Characters of an unknown field's name that an answer repeats."""


class Refused(NamedTuple):
    """A field that vLLM on TPU cannot take, and the sentence about it."""

    field: str
    sentence: str


def _given(body: dict[str, Any], field: str) -> bool:
    return body.get(field) is not None


def _true(body: dict[str, Any], field: str) -> bool:
    return body.get(field) not in (None, False)


def _positive_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _echo(path: str, body: dict[str, Any]) -> str | None:
    """Refuse a request that ends the server: vLLM makes it prompt_logprobs."""
    if path in COMPLETIONS and _true(body, "echo") and _given(body, "logprobs"):
        return "This server cannot 'echo' the prompt together with 'logprobs'; leave one of them out."
    return None


def _logprobs_of_none(path: str, body: dict[str, Any]) -> str | None:
    """Refuse a request that gets HTTP 500: the TPU sampler gathers nothing for zero alternatives."""
    if path in CHAT and _true(body, "logprobs") and not _positive_int(body.get("top_logprobs")):
        return "This server gives 'logprobs' only together with 'top_logprobs' from 1 to 20; set it."
    if path in COMPLETIONS and _given(body, "logprobs") and not _positive_int(body["logprobs"]):
        return "This server gives 'logprobs' from 1 to 20; set it so, or leave the field out."
    included = body.get("include") if path in RESPONSES else None
    wanted = is_array(included) and "message.output_text.logprobs" in included
    if wanted and not _positive_int(body.get("top_logprobs")):
        return "This server includes log-probabilities only with 'top_logprobs' from 1 to 20; set it."
    return None


def _beam_search(path: str, body: dict[str, Any]) -> str | None:
    """Refuse a field that beam search does not use; vLLM would answer 200."""
    if _true(body, "use_beam_search"):
        ignored = [name for name in BEAM_IGNORES if body.get(name) not in (None, False, [])]
        if ignored:
            return f"This server's beam search does not use {', '.join(map(repr, ignored))}; leave it out."
    return None


def _other_than_text(form: Any) -> bool:
    return is_object(form) and form.get("type") not in (None, "text")


def _form(body: dict[str, Any]) -> str | None:
    """Return the field whose schema, grammar or choice constrains the whole answer."""
    text, output = body.get("text"), body.get("output_config")
    if _given(body, "structured_outputs"):
        return "structured_outputs"
    if _other_than_text(body.get("response_format")):
        return "response_format"
    if is_object(text) and _other_than_text(text.get("format")):
        return "text.format"
    # Its type has one value, which is also the default (vllm/entrypoints/anthropic/protocol.py).
    return "output_config.format" if is_object(output) and _given(output, "format") else None


def _tools(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every tool of a request with its parts, those that a message of Anthropic's adds included."""
    rest: list[Any] = [body.get("tools")]
    messages = body.get("messages")
    for message in messages if is_array(messages) else ():
        content = message.get("content") if is_object(message) else None
        for block in content if is_array(content) else ():
            added = block.get("tool") if is_object(block) and block.get("type") == "tool_addition" else None
            rest.append(added.get("definition") if is_object(added) else None)
    while rest:
        node = rest.pop()
        if is_array(node):
            rest.extend(node)
        elif is_object(node):
            yield node
            rest.extend((node.get("function"), node.get("tools")))


def _call(body: dict[str, Any]) -> str | None:
    """Return the field that makes vLLM constrain tool calls.

    vllm/parser/abstract_parser.py, `_apply_structural_tag`: a call that is required, a strict tool, and at
    most one call.
    """
    choice, tools = body.get("tool_choice"), list(_tools(body))
    kind = choice.get("type") if is_object(choice) else choice
    if not tools or kind == "none":
        return None
    if kind not in (None, "auto"):
        return "tool_choice"
    if any(_true(tool, "strict") for tool in tools):
        return "tools.strict"
    if _given(body, "parallel_tool_calls") and body["parallel_tool_calls"] is not True:
        return "parallel_tool_calls"
    if is_object(choice) and _true(choice, "disable_parallel_tool_use"):
        return "tool_choice.disable_parallel_tool_use"
    return None


def _constrained_while_drafting(path: str, body: dict[str, Any]) -> Refused | None:
    """Refuse a constrained answer of an engine that drafts: it would be wrong, or end the engine.

    vLLM sends one row of allowed tokens for each draft and one more. tpu-inference takes one row for each
    request and stores it at the request's number, while its logits have a row for each draft and one more
    (tpu_inference/runner/structured_decoding_manager.py, `prepare_structured_decoding_input`;
    runner/speculative_decoding_manager.py). With more rows of logits than requests the shapes do not fit.
    """
    field = (_form(body) or _call(body)) if path in ANSWERING else None
    if field is None:
        return None
    return Refused(
        field,
        f"This server cannot honor '{field}': it drafts tokens ahead, and on TPU an answer with drafts "
        "cannot be constrained. Leave it out.",
    )


def _stop_tokens(path: str, body: dict[str, Any]) -> str | None:
    """Refuse stop tokens that cannot stop: vLLM masks them in a constrained answer until it is complete.

    Where the constraint needs one of them, vLLM answers 500 (vllm/v1/structured_output/__init__.py).
    """
    if body.get("stop_token_ids") and _form(body) is not None:
        return (
            "This server cannot end a constrained answer at 'stop_token_ids'; leave them out, or use 'stop' "
            "with a text."
        )
    return None


def _prompt_and_messages(path: str, body: dict[str, Any]) -> str | None:
    """Refuse a prompt that vLLM ignores beside `messages`."""
    if path == "/tokenize" and _given(body, "prompt") and _given(body, "messages"):
        return "This server tokenizes either 'prompt' or 'messages'; leave one of them out."
    return None


RULES: dict[str, Callable[[str, dict[str, Any]], str | None]] = {
    "echo": _echo,
    "logprobs": _logprobs_of_none,
    "use_beam_search": _beam_search,
    "stop_token_ids": _stop_tokens,
    "prompt": _prompt_and_messages,
}


def engine_drafts() -> bool:
    """Return whether the engine drafts tokens, as the deployment says."""
    return os.environ.get(DRAFTS_VARIABLE) == "1"


def refusal(path: str, body: object, drafts: bool = False) -> Refused | None:
    """Return what this server cannot honor in the JSON `body` of a POST to `path`; None when it can.

    `drafts` says whether the engine drafts tokens.
    """
    table = TABLES.get(path)
    if table is None or not is_object(body):
        return None
    found = _check(table, body, "")
    if found is not None:
        return found
    for field, rule in RULES.items():
        sentence = rule(path, body)
        if sentence is not None:
            return Refused(field, sentence)
    return _constrained_while_drafting(path, body) if drafts else None


def _check(table: Table, body: dict[str, Any], above: str) -> Refused | None:
    for name, value in body.items():
        if value is None:
            continue
        where, field = f"{above}{name}", table.get(name)
        if field is None:
            return _unknown(where[:NAME_CHARACTERS], name[:NAME_CHARACTERS], table)
        if field.only is not None and not _accepted(field, value):
            return Refused(where, _cannot(where, field))
        if field.parts is not None:
            for part in value if is_array(value) else (value,):
                found = _check(field.parts, part, f"{where}.") if is_object(part) else None
                if found is not None:
                    return found
    return None


def _accepted(field: Field, value: Any) -> bool:
    if field.by is not By.NOBODY and is_array(value):
        return all(element in (field.only or ()) for element in value)
    return value in (field.only or ())


def _unknown(where: str, name: str, table: Table) -> Refused:
    """Refuse a field that vLLM does not know either; it would answer 200 as if the field were not there."""
    near = difflib.get_close_matches(name, table, n=1, cutoff=0.8)
    hint = f"; did you mean '{near[0]}'?" if near else "."
    return Refused(
        where, f"This server does not know the field '{where}', so it has no effect. Leave it out{hint}"
    )


def _cannot(where: str, field: Field) -> str:
    values = " or ".join(json.dumps(value) for value in field.only or ())
    if field.by is not By.NOBODY:
        return f"This server cannot honor '{where}' with this value: {field.text} Accepted: {values}."
    neutral = f" or set it to {values}" if values else ""
    return f"This server cannot honor '{where}': {field.text}. Leave it out{neutral}."
