"""Each guarded request against the real server without the guard, and the guard's own life in it."""

import asyncio
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent.server import request_rules
from tests.vllm.running import NAME, Server, server

KEY = "a-key-of-this-test"
CHAT, COMPLETIONS, RESPONSES = "/v1/chat/completions", "/v1/completions", "/v1/responses"
SHUTDOWN_SECONDS = 10

BREAKS: list[tuple[str, dict[str, Any], str]] = [
    (CHAT, {"seed": 1}, ""),
    (COMPLETIONS, {"seed": 1}, ""),
    (RESPONSES, {"seed": 1}, ""),
    (CHAT, {"logprobs": True}, "list index out of range"),
    (COMPLETIONS, {"logprobs": 0}, "list index out of range"),
    (CHAT, {"logprobs": True, "logprob_token_ids": [300]}, "list index out of range"),
]
"""Request, and the message in the HTTP 500 answer."""

PROMPT_LOGPROBS: list[tuple[str, dict[str, Any]]] = [
    (CHAT, {"prompt_logprobs": 0}),
    (CHAT, {"echo": True}),
    (COMPLETIONS, {"echo": True, "logprobs": 1}),
]
"""Requests that end the server, all by vLLM's `prompt_logprobs`: see `protocol_server`."""

ALLOWED_TOKENS: tuple[str, dict[str, Any]] = (CHAT, {"allowed_token_ids": [300, 301]})
"""A request that ends the server by another fault."""


def body(path: str, fields: dict[str, Any]) -> dict[str, Any]:
    asked = {
        CHAT: {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 3},
        COMPLETIONS: {"prompt": "Hello", "max_tokens": 3},
        RESPONSES: {"input": "Hello", "max_output_tokens": 3},
    }[path]
    return {"model": NAME, **asked, **fields}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def bare(folder: Path) -> Iterator[Server]:
    with server(folder) as running:
        yield running


@pytest.mark.parametrize(("path", "fields", "message"), BREAKS, ids=str)
def test_without_the_guard_the_server_answers_with_its_own_failure(
    bare: Server, path: str, fields: dict[str, Any], message: str
) -> None:
    answer = bare.post(path, body(path, fields))
    assert (answer.status_code, answer.json()["error"]["message"]) == (500, message)
    assert request_rules.refusal(path, body(path, fields)) is not None
    assert bare.post(path, body(path, {})).status_code == 200


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        (CHAT, {"logprobs": True, "top_logprobs": 2}),
        (CHAT, {"n": 3}),
        (CHAT, {"response_format": {"type": "json_object"}}),
        (CHAT, {"structured_outputs": {"regex": "[a-c]{3}"}}),
        (CHAT, {"use_beam_search": True, "n": 2}),
        (COMPLETIONS, {"echo": True}),
        (COMPLETIONS, {"logprobs": 2}),
        (COMPLETIONS, {"prompt": ["Hello", "you"]}),
    ],
    ids=str,
)
def test_what_the_guard_lets_through_is_answered(bare: Server, path: str, fields: dict[str, Any]) -> None:
    assert request_rules.refusal(path, body(path, fields)) is None
    answer = bare.post(path, body(path, fields))
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        (CHAT, {"logit_bias": {"2": -100}}),
        (CHAT, {"presence_penalty": 2.0}),
        (CHAT, {"frequency_penalty": 2.0}),
        (CHAT, {"repetition_penalty": 2.0}),
        (CHAT, {"bad_words": [" word"]}),
        (CHAT, {"guided_regex": "[a-c]{3}"}),
        (COMPLETIONS, {"structured_outputs": {"choice": ["a b"]}, "min_tokens": 9, "max_tokens": 12}),
        (COMPLETIONS, {"spaces_between_special_tokens": False}),
        (RESPONSES, {"repetition_penalty": 2.0}),
        (RESPONSES, {"store": True}),
    ],
    ids=str,
)
def test_without_the_guard_a_refused_field_has_no_effect(
    bare: Server, path: str, fields: dict[str, Any]
) -> None:
    """At temperature 0 the answer is the same with the field and without it, and vLLM says nothing."""
    constraint = {name: fields[name] for name in ("structured_outputs", "max_tokens") if name in fields}
    # The first request fills the prefix cache. An answer from the cache may differ from one without it in the
    # last bit of a logit, so both answers that are compared come from the cache.
    requests = (constraint, constraint, fields)
    _, *answers = (bare.post(path, {**body(path, asked), "temperature": 0}) for asked in requests)
    assert [answer.status_code for answer in answers] == [200, 200]
    assert _text(answers[0].json()) == _text(answers[1].json())
    assert request_rules.refusal(path, body(path, fields)) is not None


def _text(answer: dict[str, Any]) -> str:
    """Returns the model's text, whatever the protocol."""
    if "output" in answer:
        return answer["output"][0]["content"][0]["text"]
    choice = answer["choices"][0]
    return choice["text"] if "text" in choice else choice["message"]["content"]


def test_the_guard_knows_every_route(bare: Server) -> None:
    """A route that vLLM adds is refused until a developer reads it; a route that vLLM drops must leave the
    list."""
    described = httpx.get(f"{bare.url}/openapi.json", timeout=60).json()["paths"]
    served = {(verb.upper(), path) for path, verbs in described.items() for verb in verbs}
    assert {*request_rules.OFFERED} - {("GET", "/metrics"), ("GET", "/ready")} <= served


TEXTS = ("the sea is wide", "a bird on a hill", "snow in the valley", "old stone bridge")


def test_without_the_agent_simultaneous_requests_get_each_others_grammar(bare: Server) -> None:
    """If this fails, tpu-inference has repaired it: remove agent/server/grammar_rows.py."""
    answers = [bare.constrained(TEXTS) for _ in range(4)]
    assert any(tuple(given) != TEXTS for given in answers), answers


def ends(running: Server, path: str, fields: dict[str, Any]) -> None:
    """Send a request, and require that the server ends with its engine's error."""
    assert running.post(path, body(path, fields)).status_code == 500
    assert running.ends_within(300)
    assert "EngineDeadError" in running.log.read_text()


def test_without_the_guard_allowed_tokens_end_the_server(folder: Path) -> None:
    with server(folder) as running:
        ends(running, *ALLOWED_TOKENS)


def test_without_the_guard_prompt_logprobs_end_the_server(bare: Server) -> None:
    """The last test of the server without a guard."""
    ends(bare, *PROMPT_LOGPROBS[-1])


async def _stream(
    client: httpx.AsyncClient, tokens: int, begun: asyncio.Event
) -> tuple[str | None, bool, list[dict[str, Any]]]:
    """Returns the finish reason of one streamed chat, whether [DONE] arrived, and error events."""
    finish, done, errors = None, False, []
    asked = body(CHAT, {"max_tokens": tokens, "stream": True})
    async with client.stream("POST", CHAT, json=asked) as answer:
        assert answer.status_code == 200
        async for line in answer.aiter_lines():
            begun.set()
            text = line.removeprefix("data: ")
            if text == "[DONE]":
                done = True
            elif text:
                event = json.loads(text)
                errors += [event["error"]] if "error" in event else []
                for choice in event.get("choices", []):
                    finish = choice.get("finish_reason") or finish
    return finish, done, errors


def test_the_guarded_server_refuses_serves_counts_and_drains(folder: Path) -> None:
    key_file, events = folder / "key", folder / "events.json"
    environment = {"TPUSERVE_API_KEY_FILE": str(key_file), "TPUSERVE_CACHE_EVENTS_FILE": str(events)}
    flags = (
        *("--middleware", "agent.server.guard.Guard", "--shutdown-timeout", str(SHUTDOWN_SECONDS)),
        # The steps of four chips are slow enough for a stream to outlast the drain.
        *("--tensor-parallel-size", "4"),
    )
    with server(folder, *flags, environment=environment) as running:
        closed = running.post(CHAT, body(CHAT, {}), KEY)
        assert closed.status_code == 401 and "No API key is set" in closed.text
        key_file.write_text(KEY)
        assert running.post(CHAT, body(CHAT, {}), KEY).status_code == 200
        assert running.post(CHAT, body(CHAT, {})).status_code == 401
        breaks = [(path, fields) for path, fields, _ in BREAKS]
        for path, fields in (*breaks, *PROMPT_LOGPROBS, ALLOWED_TOKENS):
            answer = running.post(path, body(path, fields), KEY)
            assert answer.status_code == 400 and "This server" in answer.json()["error"]["message"]
        assert "vllm:num_requests_running" in httpx.get(f"{running.url}/metrics", timeout=60).text
        asyncio.run(_drain(running))
    log = running.log.read_text()
    assert "EngineDeadError" not in log.split("[shutdown] API server: shutdown triggered")[0]


async def _drain(running: Server) -> None:
    """SIGTERM with short and endless streams: the short ones finish, the others get an error, none hangs."""
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=running.url, headers=headers, timeout=300) as client:
        await _stream(client, 2, asyncio.Event())
        begun = [asyncio.Event() for _ in range(10)]
        # The last two begin when the short ones have ended: the server runs eight at a time.
        short = [asyncio.create_task(_stream(client, 4, event)) for event in begun[:2]]
        long = [asyncio.create_task(_stream(client, 450, event)) for event in begun[2:]]
        for event in begun:
            await asyncio.wait_for(event.wait(), 300)
        running.process.send_signal(signal.SIGTERM)
        while (await client.get("/health")).status_code == 200:
            await asyncio.sleep(0.05)
        refused = await client.post(CHAT, json=body(CHAT, {}))
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert (await client.get("/health")).status_code == 503
        ended = await asyncio.wait_for(asyncio.gather(*short, *long), SHUTDOWN_SECONDS + 60)
    for finish, done, errors in ended:
        assert (finish is not None and done and not errors) or errors
    assert any(finish for finish, _, _ in ended[:2]) and any(errors for _, _, errors in ended[2:])
    assert running.ends_within(300)
