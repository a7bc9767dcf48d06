"""Writes docs/what-clients-may-send.md from the tables of the request guard."""

import json
from collections.abc import Iterator

from agent.server import guard, request_rules
from agent.server.request_fields import By, Field, Table
from agent.server.request_tables import TABLES

_INTRODUCTION = """\
# What clients may send

Written by `python -m tools.docs.what_clients_may_send`; change the tables in `agent/server/`, not this file.

The server speaks OpenAI's completions, chat completions and responses and Anthropic's messages, as vLLM
0.32 does. vLLM accepts many fields that its backend for TPU does not apply: it answers 200, and the answer
is the same as without the field. The guard in front of vLLM refuses such a request with 400 and a sentence
that names the field. So each field has exactly one line below:

- **TPU sampler**, **scheduler**, **front end**: the field is applied by this part of the server. A test
  sends the request with and without it to the real server and requires another answer.
- **label**: the field names the request or its owner, and does not change the answer by its own definition.
- **refused**: the field is accepted only as `null` or with the value in the last column.

A field that is in no table is refused too, because it would have no effect. `null` always means the same as
leaving a field out.
"""

_TOOLS = """\
## Tool calls

With `tool_choice` `required` (Anthropic: `any`) or a named function, the answer is a tool call: the tokens
are constrained to Gemma 4's own call syntax. With `strict: true` the arguments follow the JSON schema, in
the order of its properties, also with `auto`. A strict schema may use object (properties, required,
`additionalProperties: false`), array (items, minItems, maxItems), string, integer, number, boolean, null,
enum, const, anyOf, oneOf and $ref; any other keyword gets a sentence. Without `strict` the keys are those
of the schema and the values have its types where they are among these.
"""

_BEAMS = """\
## Fields that depend on each other

- `logprobs` needs `top_logprobs` from 1 to 20 (chat); in completions the number itself is from 1 to 20.
- In completions, `echo` and `logprobs` exclude each other.
- `stop_token_ids` cannot end an answer that `structured_outputs`, `response_format` or `text.format`
  constrains, and is refused together with them.
- `/tokenize` takes either `prompt` or `messages`.
- Where the operator sets `engine.speculative`, the server drafts tokens, and on TPU an answer with drafts
  cannot be constrained. It refuses `structured_outputs`, a `response_format` or `text.format` other than
  `text`, `output_config.format`, a `tool_choice` that requires a call, `strict: true` of a tool, and beside
  tools `parallel_tool_calls: false` and `disable_parallel_tool_use: true`.
- With `use_beam_search`, these have no effect and are refused: {ignored}.
"""

_MEDIA = """\
## Images

An image is sent along as a `data:` URL (`data:image/png;base64,…`); Anthropic's form is `{{"type":
"base64"}}`. The server does not fetch http(s) URLs and opens no files: such a request gets 400 at once. The
operator may list host names in `engine.allowed_media_domains`; then the server fetches by https on port 443
from exactly these, without redirects, and only if every address of the name is public. `detail` other than
`auto` is refused, because every image takes the same number of tokens. A request is at most {limit} MiB.
"""

_DOOR = """\
## Keys, browsers and errors

The API key is the bearer token, `Authorization: Bearer KEY`, or the header `x-api-key: KEY`, as Anthropic's
SDK sends it. `/health`, `/ready` and `/metrics` need no key.

`/health` answers 200 while the engine is alive. `/ready` answers 200 while the engine is alive, the server
has been accepted and it is not about to stop; otherwise it answers 503 with the reason. Send requests to a
server whose `/ready` answers 200.

Web pages may call the server only from the origins that the operator lists in `allowed_origins` of the
stack (`*` is every page); by default no browser may. A preflight needs no key, and cookies are never allowed.

Every error has a message. On `/v1/messages` it has Anthropic's form (`{{"type": "error", "error": {{"type":
"invalid_request_error", …}}}}`), elsewhere OpenAI's.

Endpoints: {offered}. vLLM's other endpoints are refused with 404.
GKE's load balancer forwards only `/v1`; call the others from inside the cluster.
"""


def document() -> str:
    """Return the whole file, ending with a newline."""
    offered = ", ".join(
        f"`{verb} {path}`" for verb, path in sorted(request_rules.OFFERED, key=lambda row: row[1])
    )
    parts = [
        _INTRODUCTION,
        _TOOLS,
        _BEAMS.format(ignored=", ".join(f"`{name}`" for name in request_rules.BEAM_IGNORES)),
        _MEDIA.format(limit=guard.MAX_BODY_BYTES // 1024**2),
        _DOOR.format(offered=offered),
    ]
    for path, table in TABLES.items():
        parts += [f"## `POST {path}`\n", _table(table)]
    return "\n".join(parts)


def _rows(table: Table, above: str = "") -> Iterator[tuple[str, Field]]:
    for name, field in table.items():
        yield f"{above}{name}", field
        yield from _rows(field.parts or {}, f"{above}{name}.")


def _capitalized(reason: str) -> str:
    """Returns the reason as a sentence's beginning; names of programs keep their spelling."""
    return reason if reason.startswith(("vLLM", "tpu-inference")) else f"{reason[0].upper()}{reason[1:]}"


def _table(table: Table) -> str:
    lines = ["| field | by | effect, or why it is refused | accepted |", "| --- | --- | --- | --- |"]
    for name, field in _rows(table):
        text = field.text if field.by is not By.NOBODY else f"{_capitalized(field.text)}."
        values = ", ".join(f"`{json.dumps(value)}`" for value in field.only or ())
        accepted = values or ("`null`" if field.by is By.NOBODY else "")
        lines.append(f"| `{name}` | {field.by.value} | {text} | {accepted} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(document(), end="")
