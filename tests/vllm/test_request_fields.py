"""The table of request fields against vLLM: it is whole, what is honored works, the rest is refused."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from agent.server import media
from agent.server.request_fields import By, Field, Table
from agent.server.request_tables import TABLES
from tests.vllm import oracle
from tests.vllm.api_pairs import PAIRS
from tests.vllm.field_pairs import BASE, CHAT, COMPLETIONS, COUNT, HELLO, MESSAGES, RESPONSES, SAMPLING, Pair
from tests.vllm.running import NAME, Server
from tests.vllm.test_guard import TEXTS

HERE = Path(__file__).parent
CHANGING = (
    *("id", "item_id", "call_id", "created", "created_at", "completed_at", "system_fingerprint", "metrics"),
    *("prompt_tokens_details", "input_tokens_details"),
)
"""Keys of an answer whose values differ between two equal requests."""

OF_THE_ANSWER = (
    "output",
    "usage",
    "status",
    "incomplete_details",
    "input_messages",
    "output_messages",
    "error",
)
"""Keys of an answer of /v1/responses that do not repeat the request."""


def fields(table: Table, above: str = "") -> Iterator[tuple[str, Field]]:
    for name, field in table.items():
        yield f"{above}{name}", field
        yield from fields(field.parts or {}, f"{above}{name}.")


@pytest.fixture(scope="module")
def protocols() -> dict[str, Any]:
    """Returns the fields that vLLM's classes and the clients' SDKs know."""
    return json.loads(oracle.run(HERE / "programs" / "protocol_server.py"))


def test_the_table_has_every_field_of_vllms_classes(protocols: dict[str, Any]) -> None:
    """A new field is refused as unknown until somebody finds out what the TPU backend makes of it."""
    assert {*protocols["classes"]} == {*TABLES}
    for path, names in protocols["classes"].items():
        assert {*names} - {*TABLES[path]} == set(), path


def test_the_table_has_every_part_of_vllms_nested_classes(protocols: dict[str, Any]) -> None:
    for where, names in protocols["parts"].items():
        path, _, field = where.partition(" ")
        assert {f"{field}.{name}" for name in names} - {name for name, _ in fields(TABLES[path])} == set(), (
            where
        )


def test_the_table_has_every_parameter_of_the_sdks(protocols: dict[str, Any]) -> None:
    for path, names in protocols["sdk"].items():
        assert {*names} - {*TABLES[path]} == set(), path


def test_the_table_has_no_field_that_nobody_sends(protocols: dict[str, Any]) -> None:
    """The batch endpoint takes all fields of a chat, as vLLM passes on what its class does not name."""
    known = {path: {*names} for path, names in protocols["classes"].items()}
    for path, names in protocols["sdk"].items():
        known[path] |= {*names}
    known["/v1/chat/completions/batch"] |= known[CHAT]
    beyond = {path: {*table} - known[path] for path, table in TABLES.items()}
    assert {path: names for path, names in beyond.items() if names} == BETA


BETA = {MESSAGES: {"context_management", "mcp_servers"}, COUNT: {"context_management"}}
"""Of Anthropic's beta API, which its clients send to any server."""


def test_every_honored_field_has_its_pair() -> None:
    for path, table in TABLES.items():
        honored = {name for name, field in fields(table) if field.by not in (By.LABEL, By.NOBODY)}
        beyond = {name for name in PAIRS[path] if name not in honored}
        assert honored - {*PAIRS[path]} - SHOWN_ELSEWHERE.get(path, set()) == set(), path
        assert beyond == set(), path


SHOWN_ELSEWHERE = {
    "/v1/chat/completions/batch": {"truncation_side"},
    COUNT: {
        "tools.input_schema",
        "tools.strict",
        "tools.type",
        "output_config.format",
        "output_config.format.type",
        "output_config.format.schema",
    },
    MESSAGES: {"tool_choice.disable_parallel_tool_use"},
    "/tokenize": {"tools.function.parameters", "tools.function.strict"},
}
"""Parts that concern the answer, not the prompt: /v1/messages and chat show them. Anthropic's
`disable_parallel_tool_use` becomes `parallel_tool_calls` of chat (vllm/entrypoints/anthropic/serving.py)."""


REPEATS = 8
"""Equal requests of a test of sampling. Of four, all could differ by chance if several logits are equal."""


class Client:
    """Client of the guarded server that remembers answers."""

    def __init__(self, running: Server) -> None:
        self.running = running
        self._answers: dict[str, tuple[int, Any]] = {}

    def once(self, path: str, added: dict[str, Any]) -> tuple[int, Any]:
        """Returns status and answer without the changing keys. Sends each different request once."""
        key = f"{path} {json.dumps(added)}"
        if key not in self._answers:
            self._answers[key] = self.again(path, added)
        return self._answers[key]

    def again(self, path: str, added: dict[str, Any]) -> tuple[int, Any]:
        status, answer = self.whole(path, added)
        if path == RESPONSES and status == 200 and isinstance(answer, dict):
            answer = {name: answer.get(name) for name in OF_THE_ANSWER}
        return status, lasting(answer)

    def different(self, path: str, added: dict[str, Any]) -> int:
        """Returns the number of different answers to equal requests, which the server computes together.

        Between equal logits, chance decides.
        """
        with ThreadPoolExecutor(REPEATS) as pool:
            answers = list(pool.map(lambda _: self.again(path, added), range(REPEATS)))
        assert [status for status, _ in answers] == [200] * REPEATS
        return len({json.dumps(answer) for _, answer in answers})

    def whole(self, path: str, added: dict[str, Any]) -> tuple[int, Any]:
        """Returns status and answer with every key; a stream is the list of its events."""
        answer = self.running.post(path, {"model": NAME, **BASE[path], **added})
        if "text/event-stream" in answer.headers["content-type"]:
            events = [line.removeprefix("data: ") for line in answer.text.splitlines() if "data: {" in line]
            return answer.status_code, [json.loads(event) for event in events]
        return answer.status_code, answer.json()


def lasting(answer: Any) -> Any:
    """Returns an answer without ids, times, probabilities and the part of the prompt that was cached.

    The last bits of a probability depend on the requests that are computed together.
    """
    if isinstance(answer, float):
        return None
    if isinstance(answer, list):
        return [lasting(part) for part in answer]
    if not isinstance(answer, dict):
        return answer
    kept = {name: lasting(value) for name, value in answer.items() if name not in CHANGING}
    for name in ("cache_read_input_tokens", "cache_creation_input_tokens"):
        if name in kept:
            kept["input_tokens"] += kept.pop(name)
    return kept


@pytest.fixture(scope="module")
def client(guarded: Server) -> Client:
    return Client(guarded)


PAIR_LIST = [
    (path, name, pair)
    for path, pairs in PAIRS.items()
    for name, pair in pairs.items()
    if name != "cache_salt"  # It has its own test below.
]


@pytest.mark.parametrize(
    ("path", "name", "pair"), PAIR_LIST, ids=[f"{path} {name}" for path, name, _ in PAIR_LIST]
)
def test_a_honored_field_changes_the_answer(client: Client, path: str, name: str, pair: Pair) -> None:
    if name in SAMPLING:
        random, certain = (client.different(path, {**pair.common, **added}) for added in ({}, pair.change))
        assert certain < random == REPEATS
        return
    without, changed = client.once(path, pair.common), client.once(path, {**pair.common, **pair.change})
    if name not in ("model", "truncation"):
        assert without[0] == changed[0] == 200, (without, changed)
    assert without != changed
    if not isinstance(changed[1], list):  # The boundaries between a stream's chunks vary.
        assert client.again(path, {**pair.common, **pair.change}) == changed, "the change could be chance"


LABELS = [
    (path, name)
    for path, table in TABLES.items()
    for name, field in fields(table)
    if field.by is By.LABEL and "." not in name and path not in ("/tokenize", "/detokenize")
]
LABEL_VALUES: dict[str, Any] = {
    "metadata": {"a": "b"},
    "cache_control": {"type": "ephemeral"},
    "tool_choice": {"type": "auto"},
}


@pytest.mark.parametrize(("path", "name"), LABELS)
def test_a_label_changes_nothing_but_itself(client: Client, path: str, name: str) -> None:
    status, answer = client.once(path, {name: LABEL_VALUES.get(name, "a-label")})
    plain = client.once(path, {})[1]
    if name in answer:  # Some are repeated.
        answer, plain = {**answer, name: None}, {**plain, name: None}
    assert status == 200 and answer == plain


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS, RESPONSES, MESSAGES])
def test_a_cache_salt_separates_the_prefix_cache(client: Client, path: str) -> None:
    long = "A long prompt that fills more than one block of the cache, so that it can be seen again."
    prompt = {COMPLETIONS: {"prompt": long}, RESPONSES: {"input": long}}.get(
        path, {"messages": [{"role": "user", "content": long}]}
    )

    def cached(salt: str) -> int:
        salted = {**prompt, "cache_salt": salt + path.rpartition("/")[2]}
        usage = client.whole(path, salted)[1]["usage"]
        details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
        return details.get("cached_tokens", usage.get("cache_read_input_tokens")) or 0

    assert cached("a") == 0 and cached("a") > 0 and cached("b") == 0


INPUTS = [
    (CHAT, {"logit_bias": {"2": -100}}, "logit_bias"),
    (CHAT, {"presence_penalty": 2}, "presence_penalty"),
    (CHAT, {"min_p": 1.0, "temperature": 2}, "min_p"),
    (COMPLETIONS, {"frequency_penalty": 1}, "frequency_penalty"),
    (RESPONSES, {"repetition_penalty": 1.5}, "repetition_penalty"),
    (MESSAGES, {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2000}, "thinking.type"),
]


@pytest.mark.parametrize(("path", "added", "name"), INPUTS, ids=str)
def test_what_has_no_effect_is_refused(client: Client, path: str, added: dict[str, Any], name: str) -> None:
    status, answer = client.once(path, added)
    assert status == 400 and f"'{name}'" in answer["error"]["message"]


def test_every_refused_field_is_refused_by_the_running_server(client: Client) -> None:
    for path, table in TABLES.items():
        for name, field in table.items():
            if field.by is By.NOBODY:
                status, answer = client.once(path, {name: "no such value"})
                assert status == 400 and f"cannot honor '{name}'" in answer["error"]["message"], (path, name)


INSIDE = (
    "http://169.254.169.254/computeMetadata/v1/",
    "https://169.254.169.254/a.png",
    "https://10.96.0.1/api",
    "https://34.118.224.1/api",
    "https://127.0.0.1/a.png",
    "https://localhost/a.png",
    "https://media.invalid/a.png",
    "https://example.com/a.png",
    "file:///etc/passwd",
)
"""URLs of the metadata server, of API servers, of listed names that lead inside or nowhere, and of others."""


@pytest.mark.parametrize("url", INSIDE)
def test_media_by_url_are_refused_at_once(client: Client, url: str) -> None:
    part = {"type": "image_url", "image_url": {"url": url}}
    body = {"model": NAME, "messages": [{"role": "user", "content": [part]}]}
    answer = client.running.post(CHAT, body)
    assert answer.status_code == 400 and "data: URL" in answer.json()["error"]["message"]
    assert answer.elapsed.total_seconds() < media.RESOLVE_SECONDS + 1


def test_vllms_client_does_not_connect_to_loopback() -> None:
    """A name may get another address after the guard has resolved it."""
    result = json.loads(oracle.run(HERE / "programs" / "media_server.py"))
    assert result["before"] == "a file", "without the agent, vLLM fetches from loopback"
    assert "localhost has an address that is not public" in result["after"]
    assert result["requests"] == ["/before"]


def test_simultaneous_requests_get_their_own_grammar(client: Client) -> None:
    for _ in range(4):
        assert tuple(client.running.constrained(TEXTS)) == TEXTS


def test_three_fields_become_prompt_logprobs(protocols: dict[str, Any]) -> None:
    """`test_guard` shows that prompt_logprobs end the server, with one of the three."""
    assert protocols["prompt_logprobs"] == [0, 0, 1]


def test_vllms_own_errors_have_a_message_and_the_form_of_the_messages_api(client: Client) -> None:
    for body in (
        {},
        {"model": NAME, "messages": HELLO},
        {"model": "another", "messages": HELLO, "max_tokens": 3},
    ):
        answer = client.running.post(MESSAGES, body)
        error = answer.json()
        assert answer.status_code >= 400 and error["type"] == "error" and error["error"]["message"]
        assert error["error"]["type"] in ("invalid_request_error", "not_found_error")
