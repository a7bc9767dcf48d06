"""Which requests may reach vLLM 0.32 on TPU, and the sentence for those that may not.

Each rule was found on the running server: it says what happens without it (tests/server/test_guard.py shows
that). The rules look at parsed JSON, as vLLM does, not at bytes: `"\\u0073eed"` is `"seed"`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

CHAT = ("/v1/chat/completions", "/v1/chat/completions/batch")
COMPLETIONS = ("/v1/completions",)
RESPONSES = ("/v1/responses",)
GENERATION = (*CHAT, *COMPLETIONS, *RESPONSES)

OPEN = frozenset({("GET", "/health"), ("GET", "/metrics")})
"""Answered without a key: what probes and the metrics collector ask."""

OFFERED = OPEN | {
    ("GET", "/v1/models"),
    ("GET", "/version"),
    *(("POST", path) for path in GENERATION),
    ("POST", "/v1/messages"),
    ("POST", "/v1/messages/count_tokens"),
    ("POST", "/tokenize"),
    ("POST", "/detokenize"),
}
"""All else that vLLM 0.32 registers is refused: /scale_elastic_ep changes the server, /invocations repeats
endpoints above by another name, /generative_scoring answers 500 on TPU, /v1/decisions and /v1/systemone are
not for this model, /inference/v1/* and (de)render want --enable-scale-out, /v1/responses/{id} a store."""


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


def _seed(path: str, body: dict[str, Any]) -> str | None:
    """Otherwise HTTP 500 with an empty message: tpu_platform.validate_request raises in the engine client."""
    if _given(body, "seed"):
        return "This server runs on TPU, where a request cannot bring its own 'seed'; leave the field out."
    return None


def _prompt_logprobs(path: str, body: dict[str, Any]) -> str | None:
    """Otherwise the whole server ends: tpu_runner raises "not supported for multimodal models"."""
    if _given(body, "prompt_logprobs"):
        return (
            "This server cannot give 'prompt_logprobs'; leave the field out ('logprobs' are for the answer)."
        )
    return None


def _echo(path: str, body: dict[str, Any]) -> str | None:
    """Otherwise the whole server ends: vLLM makes it prompt_logprobs; in completions only with logprobs."""
    if path in CHAT and _true(body, "echo"):
        return "This server cannot 'echo' a chat's last message; leave the field out."
    if path in COMPLETIONS and _true(body, "echo") and _given(body, "logprobs"):
        return "This server cannot 'echo' the prompt together with 'logprobs'; leave one of them out."
    return None


def _allowed_token_ids(path: str, body: dict[str, Any]) -> str | None:
    """Otherwise the whole server ends: tpu_inference's input_batch builds the mask by a wrong call."""
    if _true(body, "allowed_token_ids"):
        return (
            "This server cannot restrict 'allowed_token_ids'; use 'structured_outputs' (choice, regex, json) "
            "to constrain the answer."
        )
    return None


def _logprob_token_ids(path: str, body: dict[str, Any]) -> str | None:
    """Otherwise HTTP 500 "list index out of range": the TPU sampler knows no chosen tokens."""
    if _true(body, "logprob_token_ids"):
        return "This server cannot give 'logprob_token_ids'; use 'top_logprobs' (1 to 20)."
    return None


def _logprobs_of_none(path: str, body: dict[str, Any]) -> str | None:
    """Otherwise HTTP 500 "list index out of range": the TPU sampler gathers nothing for zero alternatives."""
    if path in CHAT and _true(body, "logprobs") and not _positive_int(body.get("top_logprobs")):
        return "This server gives 'logprobs' only together with 'top_logprobs' from 1 to 20; set it."
    if path in COMPLETIONS and _given(body, "logprobs") and not _positive_int(body["logprobs"]):
        return "This server gives 'logprobs' from 1 to 20; set it so, or leave the field out."
    included = body.get("include") if path in RESPONSES else None
    wanted = isinstance(included, list) and "message.output_text.logprobs" in included
    if wanted and not _positive_int(body.get("top_logprobs")):
        return "This server includes log-probabilities only with 'top_logprobs' from 1 to 20; set it."
    return None


RULES: dict[str, Callable[[str, dict[str, Any]], str | None]] = {
    "seed": _seed,
    "prompt_logprobs": _prompt_logprobs,
    "echo": _echo,
    "allowed_token_ids": _allowed_token_ids,
    "logprob_token_ids": _logprob_token_ids,
    "logprobs": _logprobs_of_none,
}


def refusal(path: str, body: object) -> Refused | None:
    """The first rule that the JSON `body` of a POST to `path` breaks; None when vLLM may have it."""
    if path not in GENERATION or not isinstance(body, dict):
        return None
    for field, rule in RULES.items():
        sentence = rule(path, body)
        if sentence is not None:
            return Refused(field, sentence)
    return None
