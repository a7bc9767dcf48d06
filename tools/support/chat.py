"""Client of a server's OpenAI-compatible API: one chat completion, streamed."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from tools.support.errors import Refusal

SHOWN = 200
"""Characters shown of an answer that is not an OpenAI API error."""


class Unreachable(Refusal):
    """A server that does not answer at all; it has said nothing yet."""


@dataclass(frozen=True)
class Server:
    """Server at a base URL, such as http://127.0.0.1:8000. `key` is None when clients need none."""

    stack: str
    url: str
    key: str | None

    def get(self, path: str) -> httpx.Response:
        """GET from the server directly: a proxy from the environment does not reach cluster addresses and
        must not see the key. Raises httpx.TransportError."""
        return httpx.get(f"{self.url}{path}", headers=self._headers(), timeout=10, trust_env=False)

    def ask(self, prompt: str, max_tokens: int) -> Iterator[str]:
        """Stream the answer to one chat message, piece by piece.

        Raises Unreachable before the first piece, and Refusal when the answer is incomplete.
        """
        body = {
            "model": self._model(),
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": max_tokens,
            "stream": True,
        }
        url = f"{self.url}/v1/chat/completions"
        request = {"json": body, "headers": self._headers(), "timeout": httpx.Timeout(10, read=120)}
        try:
            with httpx.stream("POST", url, trust_env=False, **request) as answer:
                if answer.status_code != httpx.codes.OK:
                    answer.read()
                    raise Refusal(f"The server answered {answer.status_code}: {_message(answer)}")
                for line in answer.iter_lines():
                    if line.startswith("data: ") and line != "data: [DONE]":
                        yield from self._pieces(line)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise self._unreachable() from None
        except httpx.TransportError as error:
            raise Refusal(
                f"The server broke off the answer ({type(error).__name__}): `make why STACK={self.stack}` "
                "says why."
            ) from None

    def _pieces(self, line: str) -> Iterator[str]:
        """Yields the text of one event of a stream. Raises Refusal for an error."""
        event = json.loads(line.removeprefix("data: "))
        if "error" in event:
            # The status code was sent before the first word, so only this event reports the failure.
            raise Refusal(
                f"The server broke off the answer: {_reason(event, line)}. `make logs STACK={self.stack}` "
                "shows more; then ask again."
            )
        for choice in event.get("choices", []):
            yield choice["delta"].get("content") or choice["delta"].get("reasoning") or ""

    def _model(self) -> str:
        """Returns the name under which the server serves its only model. Raises Refusal when it does not
        answer."""
        try:
            answer = self.get("/v1/models")
        except httpx.TransportError:
            raise self._unreachable() from None
        if answer.status_code != httpx.codes.OK:
            raise Refusal(f"The server answered {answer.status_code}: {_message(answer)}")
        return answer.json()["data"][0]["id"]

    def _unreachable(self) -> Unreachable:
        return Unreachable(f"The server does not answer: run `make why STACK={self.stack}`, which says why.")

    def _headers(self) -> Mapping[str, str]:
        return {} if self.key is None else {"Authorization": f"Bearer {self.key}"}


def _message(answer: httpx.Response) -> str:
    try:
        return _reason(answer.json(), answer.text)
    except ValueError:
        return answer.text[:SHOWN] or "nothing"


def _reason(document: Any, text: str) -> str:
    """Returns the message of an error `document`, or the beginning of its `text`."""
    try:
        return str(document["error"]["message"]).rstrip(".")
    except (KeyError, TypeError):
        return text[:SHOWN] or "nothing"
