"""Every check against a server that is sound, and against one with each fault: a fault has its sentence."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from agent.sidecar.settings import CHECK_NAMES, Settings
from agent.sidecar.verdict import Verdict
from tests.unit.agent.sidecar.conftest import Change, accept
from tests.unit.agent.sidecar.openai_server import DONE, Fault, OpenAIServer, Reply

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"

MakeSettings = Callable[..., Settings]


def only(*names: str) -> Change:
    """Switches every other check off."""

    def change(content: dict[str, Any]) -> None:
        content["acceptance"]["off"] = [name for name in CHECK_NAMES if name not in names]

    return change


def results(verdict: Verdict) -> dict[str, str]:
    return {check.name: check.result for check in verdict.checks}


def sentence(verdict: Verdict, name: str) -> str:
    (found,) = (check.sentence for check in verdict.checks if check.name == name)
    return found


def test_a_sound_server_is_accepted_and_every_check_has_a_sentence(
    server: OpenAIServer, settings: MakeSettings
) -> None:
    verdict, before = accept(settings(), server)
    expected = dict.fromkeys(CHECK_NAMES, "passed") | {"cache_misses": "skipped", "hbm": "skipped"}
    assert (verdict.state, results(verdict)) == ("accepted", expected)
    assert verdict.sentence == ("Release ab12cd34 is accepted: 10 checks passed, skipped: cache_misses, hbm.")
    assert all(check.sentence.endswith(".") for check in verdict.checks)
    assert [len(each.checks) for each in before] == list(range(1, len(CHECK_NAMES) + 1))
    assert {each.state for each in before} == {"running"} and verdict.finished is not None


def test_the_longest_prompt_leaves_room_for_its_answer_only(
    server: OpenAIServer, settings: MakeSettings
) -> None:
    accept(settings(only("longest_prompt")), server)
    (body,) = server.bodies(COMPLETIONS)
    assert len(body["prompt"]) + body["max_tokens"] == 512


def test_as_many_requests_as_the_server_runs_are_there_at_once(
    server: OpenAIServer, settings: MakeSettings
) -> None:
    together = threading.Barrier(8)

    def fault(path: str, body: dict[str, Any], reply: Reply) -> None:
        if path == COMPLETIONS:
            together.wait(60)

    server.fault = fault
    verdict, _ = accept(settings(only("many_at_once")), server)
    assert verdict.state == "accepted" and len(server.bodies(COMPLETIONS)) == 8


def test_no_prompt_is_sent_twice(server: OpenAIServer, settings: MakeSettings) -> None:
    accept(settings(), server)
    accept(settings(), server)
    asked = [str(body.get("prompt") or body["messages"]) for path, body in server.requests if path[1] == "v"]
    operators = [text for text in asked if "capital of France" in text]
    assert len(operators) == 2 and len({*asked}) == len(asked) - 1


def test_a_server_that_drafts_tokens_gets_no_constrained_request(
    server: OpenAIServer, settings: MakeSettings
) -> None:
    server.drafts = True
    chosen = settings(lambda content: content["record"]["environment"].update(TPUSERVE_DRAFTS="1"))
    verdict, _ = accept(chosen, server)
    assert verdict.state == "accepted", verdict.sentence
    assert results(verdict)["tool_call"] == results(verdict)["json_schema"] == "skipped"
    assert [body["tool_choice"] for body in server.bodies(CHAT) if "tools" in body] == ["auto"]


def test_a_server_without_tools_or_images_skips_them(server: OpenAIServer, settings: MakeSettings) -> None:
    def change(content: dict[str, Any]) -> None:
        content["record"]["argv"] = ["vllm"]
        content["server"]["images"] = False
        content["acceptance"]["prompts"] = []

    verdict, _ = accept(settings(change), server)
    skipped = {name for name, result in results(verdict).items() if result == "skipped"}
    assert skipped == {"tool_call", "image", "prompts", "cache_misses", "hbm"}
    assert verdict.state == "accepted" and not any("tools" in body for body in server.bodies(CHAT))


def test_a_server_that_refuses_a_longer_queue_gets_fewer_requests_at_once(
    server: OpenAIServer, settings: MakeSettings
) -> None:
    argv = ["--max-num-queued-reqs", "3", "--max-num-queued-tokens", "128"]
    verdict, _ = accept(settings(lambda content: content["record"].update(argv=argv)), server)
    assert sentence(verdict, "many_at_once").startswith("3 simultaneous")
    assert [cell.concurrency for cell in verdict.ladder] == [1, 2]


@pytest.mark.parametrize("name", CHECK_NAMES)
def test_each_check_can_be_switched_off(server: OpenAIServer, settings: MakeSettings, name: str) -> None:
    server.fault = lambda path, body, reply: setattr(reply, "status", 500)
    chosen = settings(lambda content: content["acceptance"].update(off=[name]))
    verdict, _ = accept(chosen, server)
    assert [check for check, result in results(verdict).items() if result == "off"] == [name]


def chat_with(**message: Any) -> Fault:
    """Changes the message of a chat."""

    def fault(path: str, body: dict[str, Any], reply: Reply) -> None:
        if path == CHAT and reply.content:
            reply.content["choices"][0]["message"].update(message)

    return fault


def stream_of(change: Callable[[list[Any]], list[Any]]) -> Fault:
    """Changes the events of a stream."""

    def fault(path: str, body: dict[str, Any], reply: Reply) -> None:
        reply.events = change(reply.events)

    return fault


def every(**fields: Any) -> Fault:
    """Changes every reply."""

    def fault(path: str, body: dict[str, Any], reply: Reply) -> None:
        vars(reply).update(fields)

    return fault


def counted(prompt: int, answer: int) -> Fault:
    """Adds to the token counts."""

    def fault(path: str, body: dict[str, Any], reply: Reply) -> None:
        for part in (reply.content, *reply.events):
            if isinstance(part, dict) and "usage" in part:
                part["usage"]["prompt_tokens"] += prompt
                part["usage"]["completion_tokens"] += answer

    return fault


class OneFails:
    """Fails the third completion and no other."""

    def __init__(self) -> None:
        self.lock, self.number = threading.Lock(), 0

    def __call__(self, path: str, body: dict[str, Any], reply: Reply) -> None:
        with self.lock:
            self.number += path == COMPLETIONS
            if path == COMPLETIONS and self.number == 3:
                reply.status, reply.content, reply.events = 503, {"error": {"message": "Full."}}, []


ERROR = {"error": {"message": "EngineCore died", "code": 500}}
CALL = {"function": {"name": "set_lamp", "arguments": "{"}}

FAULTS: list[tuple[str, Fault, str]] = [
    ("chat", every(status=500, content=ERROR), "POST /v1/chat/completions got HTTP 500: EngineCore died."),
    ("chat", every(status=502, raw=b"<html>"), "POST /v1/chat/completions got HTTP 502: <html>."),
    ("chat", every(status=500, raw=b""), "POST /v1/chat/completions got HTTP 500: no message."),
    (
        "chat",
        every(raw=b"{"),
        "An answer of POST /v1/chat/completions is not as its API describes (the body: Invalid JSON: EOF "
        "while parsing an object at line 1 column 1).",
    ),
    (
        "chat",
        every(content={"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}),
        "An answer of POST /v1/chat/completions is not as its API describes (choices: Tuple should have at "
        "least 1 item after validation, not 0).",
    ),
    (
        "chat",
        counted(0, 100),
        "A chat of at most 16 tokens has 103 and ended by 'stop'.",
    ),
    (
        "stream",
        stream_of(lambda events: events[:2]),
        "The stream of POST /v1/chat/completions ended without a finish reason and the token counts and "
        "[DONE].",
    ),
    (
        "stream",
        stream_of(lambda events: events[:-1]),
        "The stream of POST /v1/chat/completions ended without [DONE].",
    ),
    (
        "stream",
        stream_of(lambda events: [*events[:-2], DONE]),
        "The stream of POST /v1/chat/completions ended without the token counts.",
    ),
    (
        "stream",
        stream_of(lambda events: [events[0], ERROR, DONE]),
        "The stream of POST /v1/chat/completions has an error: EngineCore died.",
    ),
    (
        "stream",
        stream_of(lambda events: [events[0], "{", DONE]),
        "An answer of POST /v1/chat/completions is not as its API describes (the body: Invalid JSON: EOF "
        "while parsing an object at line 1 column 1).",
    ),
    ("stream", counted(0, -1), "An answer that must have 16 tokens has 15 and ended by 'length'."),
    ("tool_call", chat_with(tool_calls=[]), "A chat that requires one tool call has 0 of them."),
    ("tool_call", chat_with(tool_calls=[CALL]), "A required call of set_lamp is 'set_lamp' with '{'."),
    ("json_schema", chat_with(content="red"), "An answer that must follow a JSON schema is 'red'."),
    ("json_schema", chat_with(content=None), "An answer that must follow a JSON schema is ''."),
    ("image", every(status=400, content=ERROR), "POST /v1/chat/completions got HTTP 400: EngineCore died."),
    ("longest_prompt", counted(1, 0), "A prompt of 504 tokens was counted as 505."),
    ("longest_prompt", counted(0, -8), "An answer that must have 8 tokens has 0 and ended by 'length'."),
    (
        "many_at_once",
        OneFails(),
        "1 of 8 simultaneous requests failed, the first one so: POST /v1/completions got HTTP 503: Full.",
    ),
    (
        "prompts",
        chat_with(content="PARIS, on the river."),
        "The answer to 'What is the capital of France?' lacks 'Seine': 'PARIS, on the river.'.",
    ),
    (
        "ladder",
        OneFails(),
        "At concurrency 4, 1 of 8 requests failed, the first one so: POST /v1/completions got HTTP 503: "
        "Full.",
    ),
    (
        "ladder",
        counted(0, 1),
        "At concurrency 1, 2 of 2 requests failed, the first one so: an answer of 4 tokens has 5.",
    ),
    (
        "ladder",
        lambda path, body, reply: (
            vars(reply).update(status=500, content=ERROR) if path == "/tokenize" else None
        ),
        "POST /tokenize got HTTP 500: EngineCore died.",
    ),
]


@pytest.mark.parametrize(
    ("name", "fault", "expected"),
    FAULTS,
    ids=[f"{name} {number}" for number, (name, *_) in enumerate(FAULTS)],
)
def test_a_fault_rejects_with_its_sentence(
    server: OpenAIServer, settings: MakeSettings, name: str, fault: Fault, expected: str
) -> None:
    server.fault = fault
    verdict, _ = accept(settings(only(name)), server)
    assert (results(verdict)[name], sentence(verdict, name)) == ("failed", expected)
    assert verdict.state == "rejected"
    assert verdict.sentence == f"Release ab12cd34 is rejected by {name}: {expected}"


def test_a_dead_server_is_rejected_and_every_failure_is_named(
    server: OpenAIServer, settings: MakeSettings
) -> None:
    server.shutdown()
    server.server_close()
    verdict, _ = accept(settings(only("chat", "stream")), server)
    assert verdict.state == "rejected" and verdict.sentence.count("got no whole answer") == 2
    assert "rejected by chat: " in verdict.sentence and "; stream: " in verdict.sentence


def test_a_connection_that_breaks_is_no_answer(server: OpenAIServer, settings: MakeSettings) -> None:
    def fault(path: str, body: dict[str, Any], reply: Reply) -> None:
        raise ConnectionResetError

    server.fault = fault
    server.handle_error = lambda request, client_address: None  # pyright: ignore[reportAttributeAccessIssue]
    verdict, _ = accept(settings(only("chat")), server)
    assert "POST /v1/chat/completions got no whole answer (" in verdict.sentence


def test_the_deadline_ends_the_acceptance(server: OpenAIServer, settings: MakeSettings) -> None:
    server.fault = lambda path, body, reply: setattr(reply, "delay", 0.5)

    def change(content: dict[str, Any]) -> None:
        content["acceptance"]["deadline_seconds"] = 0.1

    verdict, _ = accept(settings(change), server)
    assert results(verdict) == {name: "skipped" for name in CHECK_NAMES} | {"chat": "failed"}
    assert verdict.sentence == (
        "Release ab12cd34 is rejected by chat: The acceptance did not end within the 0.1 s of "
        "acceptance.deadline_seconds; this check was running then."
    )


def test_a_fault_of_a_check_itself_still_gives_a_verdict(
    server: OpenAIServer, settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.sidecar.images.data_url", lambda: 1 / 0)
    verdict, _ = accept(settings(only("image")), server)
    assert "A fault of the check itself ended it (ZeroDivisionError: division by zero)." in verdict.sentence
