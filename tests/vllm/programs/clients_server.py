"""Runs in the model server's own Python: the SDKs of OpenAI and Anthropic against a running server.

Arguments: the server's URL, the model's name, the key. Prints what each call returned, as JSON.
"""

import base64
import io
import json
import sys

import anthropic
import openai
from PIL import Image

url, model, key = sys.argv[1:]
HELLO = [{"role": "user", "content": "Hello"}]
COLOR = {"enum": ["red", "blue"]}
"""Schema of the structured answers. Between the parts of an object the grammar allows blanks, and the tiny
model would fill its answer with them."""
SCHEMA = {
    "type": "object",
    "properties": {"color": COLOR},
    "required": ["color"],
    "additionalProperties": False,
}


def png():
    file = io.BytesIO()
    Image.new("RGB", (48, 48), (200, 30, 30)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def with_openai(client):
    chat = client.chat.completions
    common = {"model": model, "messages": HELLO, "max_tokens": 100, "temperature": 0}
    function = {"name": "paint", "description": "Paints", "parameters": SCHEMA, "strict": True}
    form = {"type": "json_schema", "json_schema": {"name": "color", "schema": COLOR, "strict": True}}
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{png()}"}}
    yield "models", [served.id for served in client.models.list()]
    yield "chat", chat.create(**common).choices[0].message.content
    stream = chat.create(**common, stream=True)
    yield "stream", "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    called = chat.create(**common, tools=[{"type": "function", "function": function}], tool_choice="required")
    yield "tool", json.loads(called.choices[0].message.tool_calls[0].function.arguments)
    formed = chat.create(**common, response_format=form).choices[0].message.content
    yield "structured", json.loads(formed)
    seen = chat.create(**{**common, "messages": [{"role": "user", "content": [image]}]})
    yield "image", [seen.usage.prompt_tokens, seen.choices[0].message.content]
    asked = {"model": model, "max_output_tokens": 100, "temperature": 0}
    yield "responses", client.responses.create(**asked, input="Hello").output_text
    events = [event.type for event in client.responses.create(**asked, input="Hello", stream=True)]
    yield "responses stream", events
    flat = {"type": "function", **function}
    item = client.responses.create(**asked, input="Hello", tools=[flat], tool_choice="required").output[-1]
    yield "responses tool", json.loads(item.arguments)
    try:
        chat.create(**common, presence_penalty=2)
    except openai.BadRequestError as problem:
        yield "refused", problem.message


def with_anthropic(client):
    common = {"model": model, "messages": HELLO, "max_tokens": 100, "extra_body": {"temperature": 0}}
    tool = {"name": "paint", "description": "Paints", "input_schema": SCHEMA, "strict": True}
    source = {"type": "base64", "media_type": "image/png", "data": png()}
    yield "chat", client.messages.create(**common).content[0].text
    with client.messages.stream(**common) as stream:
        yield "stream", "".join(stream.text_stream)
    called = client.messages.create(**common, tools=[tool], tool_choice={"type": "any"}).content
    yield "tool", [block.input for block in called if block.type == "tool_use"]
    form = {"format": {"type": "json_schema", "schema": COLOR}}
    formed = client.messages.create(**common, output_config=form).content
    yield "structured", json.loads(formed[0].text)
    seen = client.messages.create(
        **{**common, "messages": [{"role": "user", "content": [{"type": "image", "source": source}]}]}
    )
    yield "image", [seen.usage.input_tokens + (seen.usage.cache_read_input_tokens or 0), seen.content[0].text]
    yield "count", client.messages.count_tokens(model=model, messages=HELLO).input_tokens
    try:
        client.messages.create(**common, service_tier="priority")
    except anthropic.BadRequestError as problem:
        yield "refused", problem.body["error"]["message"]


results = {
    "openai": dict(with_openai(openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=300))),
    "anthropic": dict(
        with_anthropic(anthropic.Anthropic(base_url=url, api_key=key, max_retries=0, timeout=300))
    ),
}
print(json.dumps(results))
