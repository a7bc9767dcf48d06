"""The table of request fields against vLLM: it is whole, what is honored works, the rest is refused."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent import bundle
from agent.server.request_fields import By, Field, Table
from agent.server.request_tables import TABLES
from tests.vllm import oracle
from tests.vllm.field_pairs import BASE, CHAT, COMPLETIONS, COUNT, HELLO, MESSAGES, PAIRS, RESPONSES
from tests.vllm.running import NAME, Server, server

HERE = Path(__file__).parent
CHANGING = (
    *("id", "item_id", "call_id", "created", "created_at", "completed_at", "system_fingerprint", "metrics"),
    *("prompt_tokens_details", "input_tokens_details"),
)
"""Of an answer, what is never the same twice."""


def fields(table: Table, above: str = "") -> Iterator[tuple[str, Field]]:
    for name, field in table.items():
        yield f"{above}{name}", field
        yield from fields(field.parts or {}, f"{above}{name}.")


@pytest.fixture(scope="module")
def protocols() -> dict[str, dict[str, list[str]]]:
    """What vLLM's classes and the clients' SDKs know."""
    script = HERE / "protocol_server.py"
    environment = {"JAX_PLATFORMS": "cpu", "VLLM_LOGGING_LEVEL": "ERROR", "VLLM_PLUGINS": "", "HOME": "/tmp"}
    run = subprocess.run(
        [oracle.python(), script], capture_output=True, text=True, check=False, timeout=300, env=environment
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(run.stdout.splitlines()[-1])


def test_the_table_has_every_field_of_vllms_classes(protocols: dict[str, dict[str, list[str]]]) -> None:
    """A new field is refused as unknown until somebody finds out what the TPU backend makes of it."""
    assert {*protocols["classes"]} == {*TABLES}
    for path, names in protocols["classes"].items():
        assert {*names} - {*TABLES[path]} == set(), path


def test_the_table_has_every_part_of_vllms_nested_classes(protocols: dict[str, dict[str, list[str]]]) -> None:
    for where, names in protocols["parts"].items():
        path, _, field = where.partition(" ")
        assert {f"{field}.{name}" for name in names} - {name for name, _ in fields(TABLES[path])} == set(), (
            where
        )


def test_the_table_has_every_parameter_of_the_sdks(protocols: dict[str, dict[str, list[str]]]) -> None:
    for path, names in protocols["sdk"].items():
        assert {*names} - {*TABLES[path]} == set(), path


def test_the_table_has_no_field_that_nobody_sends(protocols: dict[str, dict[str, list[str]]]) -> None:
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
    "/tokenize": {"tools.function.parameters", "tools.function.strict"},
}
"""Parts that concern the answer, not the prompt: /v1/messages and chat show them."""


class Asker:
    """Asks the server, each different request once."""

    def __init__(self, running: Server) -> None:
        self.running = running
        self._known: dict[str, tuple[int, Any]] = {}

    def once(self, path: str, added: dict[str, Any]) -> tuple[int, Any]:
        """Status and answer, without what changes each time."""
        key = f"{path} {json.dumps(added)}"
        if key not in self._known:
            self.again(path, added)  # Fills the prefix cache, which moves the last bit of a logit.
            self._known[key] = self.again(path, added)
        return self._known[key]

    def again(self, path: str, added: dict[str, Any]) -> tuple[int, Any]:
        status, answer = self.whole(path, added)
        return status, lasting(answer)

    def whole(self, path: str, added: dict[str, Any]) -> tuple[int, Any]:
        """With everything; a stream as the list of its events."""
        answer = self.running.post(path, {"model": NAME, **BASE[path], **added})
        if "text/event-stream" in answer.headers["content-type"]:
            events = [line.removeprefix("data: ") for line in answer.text.splitlines() if "data: {" in line]
            return answer.status_code, [json.loads(event) for event in events]
        return answer.status_code, answer.json()


def lasting(answer: Any) -> Any:
    """Without ids, times and how much of the prompt was in the cache, wherever they stand."""
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
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fields")


@pytest.fixture(scope="module")
def asker(folder: Path) -> Iterator[Asker]:
    """The guarded server with the agent as it is delivered, and a template that shows tools."""
    bundle.main(folder / "agent")
    flags = ("--middleware", "agent.server.guard.Guard", "--enable-prompt-tokens-details")
    template = ("--chat-template", str(HERE / "tools_template.jinja"))
    with server(folder, *flags, *template, environment={"PYTHONPATH": str(folder / "agent")}) as running:
        yield Asker(running)


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
def test_a_label_changes_nothing_but_itself(asker: Asker, path: str, name: str) -> None:
    status, answer = asker.once(path, {name: LABEL_VALUES.get(name, "a-label")})
    plain = asker.once(path, {})[1]
    if name in answer:  # Some are repeated.
        answer, plain = {**answer, name: None}, {**plain, name: None}
    assert status == 200 and answer == plain


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS, RESPONSES, MESSAGES])
def test_a_cache_salt_separates_the_prefix_cache(asker: Asker, path: str) -> None:
    long = "A long prompt that fills more than one block of the cache, so that it can be seen again."
    prompt = {COMPLETIONS: {"prompt": long}, RESPONSES: {"input": long}}.get(
        path, {"messages": [{"role": "user", "content": long}]}
    )

    def cached(salt: str) -> int:
        salted = {**prompt, "cache_salt": salt + path.rpartition("/")[2]}
        usage = asker.whole(path, salted)[1]["usage"]
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
def test_what_has_no_effect_is_refused(asker: Asker, path: str, added: dict[str, Any], name: str) -> None:
    status, answer = asker.once(path, added)
    assert status == 400 and f"'{name}'" in answer["error"]["message"]


def test_every_refused_field_is_refused_by_the_running_server(asker: Asker) -> None:
    for path, table in TABLES.items():
        for name, field in table.items():
            if field.by is By.NOBODY:
                status, answer = asker.once(path, {name: "no such value"})
                assert status == 400 and f"cannot honor '{name}'" in answer["error"]["message"], (path, name)


def test_an_image_by_url_is_refused_at_once(asker: Asker) -> None:
    for url in ("http://169.254.169.254/a.png", "https://10.96.0.1/a.png", "http://127.0.0.1:1/a.png"):
        part = {"type": "image_url", "image_url": {"url": url}}
        answer = asker.running.post(CHAT, {"model": NAME, "messages": [{"role": "user", "content": [part]}]})
        assert answer.status_code == 400 and "data: URL" in answer.json()["error"]["message"]
        assert answer.elapsed.total_seconds() < 5


def test_vllms_own_errors_have_a_message_and_the_form_of_the_messages_api(asker: Asker) -> None:
    for body in (
        {},
        {"model": NAME, "messages": HELLO},
        {"model": "another", "messages": HELLO, "max_tokens": 3},
    ):
        answer = asker.running.post(MESSAGES, body)
        error = answer.json()
        assert answer.status_code >= 400 and error["type"] == "error" and error["error"]["message"]
        assert error["error"]["type"] in ("invalid_request_error", "not_found_error")


def test_the_key_of_anthropics_sdk_reaches_vllm(asker: Asker) -> None:
    headers = {"x-api-key": "any", "anthropic-version": "2023-06-01"}
    body = {"model": NAME, **BASE[MESSAGES]}
    assert (
        httpx.post(asker.running.url + MESSAGES, json=body, headers=headers, timeout=120).status_code == 200
    )
