"""Description of a request field: who acts on it, and which values the server refuses.

The tables that use these definitions are in `agent.server.request_tables`. The guard, the tests and
docs/what-clients-may-send.md read those tables. Facts: vllm-tpu 0.32.0 and tpu-inference 0.32.0.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard


class By(enum.Enum):
    """The part of the server that acts on a field. Each field has exactly one."""

    SAMPLER = "TPU sampler"
    SCHEDULER = "scheduler"
    FRONT_END = "front end"
    LABEL = "label"
    NOBODY = "refused"


@dataclass(frozen=True)
class Field:
    """One field of one protocol, or one part of such a field.

    `text` is its effect, or the reason why it is refused. `only` lists the values that are accepted besides
    null; None accepts every value that vLLM accepts. If the field is not refused, the elements of a list are
    checked one by one. `parts` describes the keys of an object, or of each object in a list.
    """

    by: By
    text: str
    only: tuple[Any, ...] | None = None
    parts: Mapping[str, "Field"] | None = None


Table = Mapping[str, Field]


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Return whether a decoded JSON value is an object."""
    return isinstance(value, dict)


def is_array(value: object) -> TypeGuard[list[Any]]:
    """Return whether a decoded JSON value is an array."""
    return isinstance(value, list)


def sampler(text: str) -> Field:
    """Return a field that the sampler on the TPU applies."""
    return Field(By.SAMPLER, text)


def scheduler(text: str) -> Field:
    """Return a field that vLLM's scheduler applies."""
    return Field(By.SCHEDULER, text)


def front_end(text: str, *only: Any, parts: Table | None = None) -> Field:
    """Return a field that vLLM's API server applies: template, tokenizer, parsers, form of the answer."""
    return Field(By.FRONT_END, text, only or None, parts)


def label(text: str) -> Field:
    """Return a field that names the request or its owner and by definition does not change the answer."""
    return Field(By.LABEL, text)


def refused(reason: str, *neutral: Any) -> Field:
    """Return a field that is accepted only as null or as one of the `neutral` values."""
    return Field(By.NOBODY, reason, neutral)


MODEL = front_end("The served model's name.")
STREAM = front_end("Sends the answer in chunks.")

NO_SAMPLER = "the sampler on TPU knows temperature, top_k and top_p only"
NO_TRANSFER = "this server has no connector for the transfer of caches between servers"
RENDER_ONLY = "only vLLM's render endpoints act on it, and this server does not offer them"
NOT_TRUSTED = "clients may not change how media are loaded or processed here"

SAMPLING: Table = {
    "temperature": sampler("0 takes the likeliest token each time."),
    "top_p": sampler("Samples among the likeliest tokens that together have this probability."),
    "top_k": sampler("Samples among this many of the likeliest tokens; 0 or -1 for all."),
    "min_p": refused(NO_SAMPLER, 0),
    "presence_penalty": refused(NO_SAMPLER, 0),
    "frequency_penalty": refused(NO_SAMPLER, 0),
    "repetition_penalty": refused(NO_SAMPLER, 1),
    "logit_bias": refused(NO_SAMPLER, {}),
    "seed": refused("the platform code for TPU has no random state per request"),
    "watermarking": refused("no watermark is configured here", False),
}
"""Fields of chat, completions and responses. Source: tpu_inference/layers/jax/sample/sampling_metadata.py."""

SAMPLING_MORE: Table = {
    "min_tokens": refused(NO_SAMPLER + ", so it cannot hold back the end token", 0),
    "bad_words": refused(NO_SAMPLER, []),
    "allowed_token_ids": refused(
        "tpu-inference builds its mask by a wrong call, which ends the server; "
        "'structured_outputs' (choice, regex, json) constrains the answer",
        [],
    ),
    "logprob_token_ids": refused(
        "the sampler on TPU gives the likeliest tokens only; use 'top_logprobs'", []
    ),
    "prompt_logprobs": refused("the runner on TPU has none for a model that takes images"),
    "thinking_token_budget": refused(NO_SAMPLER + ", so nothing ends a thought", -1),
    "repetition_detection": scheduler("Ends the answer when its last tokens repeat a pattern."),
    "use_beam_search": front_end("Searches with `n` beams; see Fields that depend on each other."),
    "length_penalty": refused("it could not be shown to change an answer here", 1),
    "spaces_between_special_tokens": refused("the detokenizer does not read it", True),
}
"""Fields of chat and completions."""

STOPPING: Table = {
    "stop": front_end("Ends the answer at the first of these texts."),
    "stop_token_ids": scheduler("Ends the answer at one of these tokens."),
    "ignore_eos": scheduler("Goes on after the end token, up to the limit of tokens."),
    "include_stop_str_in_output": front_end("Leaves the stop text in the answer."),
    "skip_special_tokens": refused(
        "the parser of thoughts and tool calls decides about special tokens", True
    ),
}

STRUCTURED_OUTPUTS: Table = {
    "json": front_end("The answer is JSON of this schema."),
    "regex": front_end("The answer matches this expression."),
    "choice": front_end("The answer is one of these texts."),
    "grammar": front_end("The answer follows this grammar (EBNF or Lark)."),
    "json_object": front_end("The answer is a JSON object.", True),
    "structural_tag": front_end("The answer follows this structural tag of xgrammar."),
    "disable_any_whitespace": refused("the backend xgrammar takes it from the server's flags only", False),
    "disable_additional_properties": refused("the backend xgrammar does not read it", False),
    "whitespace_pattern": refused("the backend xgrammar does not read it"),
}

STREAM_OPTIONS: Table = {
    "include_usage": front_end("Sends the token counts in a last chunk."),
    "continuous_usage_stats": front_end("Sends the token counts in each chunk, together with include_usage."),
    "include_obfuscation": refused("this server does not pad the chunks of a stream", False),
}

RESPONSE_FORMAT: Table = {
    "type": front_end("`text`, `json_object`, `json_schema` or `structural_tag`."),
    "json_schema": front_end(
        "The schema of the answer.",
        parts={
            "schema": front_end("The answer is JSON of this schema."),
            "name": label("The schema's name."),
            "description": label("What the schema is for; the model does not see it."),
            "strict": label("Every schema is enforced, strict or not."),
        },
    ),
    "format": front_end("The structural tag's format."),
    "structures": front_end("The structural tag's parts, in the older form."),
    "triggers": front_end("What begins a part, in the older form."),
}

TEMPLATE_KWARGS = front_end(
    "Variables of the chat template.",
    parts={"enable_thinking": front_end("The model thinks before it answers.")},
)

FUNCTION: Table = {
    "name": front_end("The function's name."),
    "description": front_end("Shown to the model."),
    "parameters": front_end("JSON schema of the arguments, shown to the model."),
    "strict": front_end("true: the arguments of a call are made to follow `parameters`."),
    "defer_loading": refused("this server shows all tools to the model", False),
}

LOGIT_FREE: Table = {
    "kv_transfer_params": refused(NO_TRANSFER, {}),
    "ec_transfer_params": refused(NO_TRANSFER, {}),
    "vllm_xargs": refused("no extension that reads such arguments is installed here", {}),
    "return_mm_kwargs": refused(RENDER_ONLY, True),
    "priority": refused("requests are served in the order in which they come", 0),
    "cache_salt": scheduler("Separates this request's prefix cache from that of others."),
    "request_id": label("The id of this request in the answer and the log."),
    "session_id": label("Joins requests of one conversation; no connector here uses it."),
}
"""Fields of all vLLM protocols that concern the server, not the model."""

MEDIA_KWARGS: Table = {
    "media_io_kwargs": refused(NOT_TRUSTED, {}),
    "mm_processor_kwargs": refused(NOT_TRUSTED, {}),
}

ROUTING: Table = {
    "routed_experts_prompt_start": refused("this server does not return the experts of a token", 0),
    "return_token_offsets": refused(RENDER_ONLY, False),
    "return_tokens_as_token_ids": front_end("With logprobs: `token_id:7` instead of the token's text."),
    "return_token_ids": front_end("Adds the token ids of prompt and answer."),
    "stream_interval": front_end("Tokens in each chunk of a stream."),
}

OPENAI_CLOUD: Table = {
    "metadata": label("Not stored."),
    "user": label("Names the end user. Not stored."),
    "safety_identifier": label("Names the end user. Not stored."),
    "prompt_cache_key": label("The prefix cache works by itself; `cache_salt` separates it."),
    "prompt_cache_options": refused("the prefix cache works by itself", {}),
    "prompt_cache_retention": refused("nobody can say how long the prefix cache keeps a prompt"),
    "service_tier": refused("there is one tier", "auto", "default"),
    "store": refused("answers are not stored here", False),
    "moderation": refused("no moderation model runs here"),
    "verbosity": refused("the model has no such setting; say it in the prompt", "medium"),
}
"""Fields of OpenAI's service; vLLM 0.32 ignores fields that it does not know."""
