"""The chat template that a stack names: a file beside the stack file, whose text becomes the engine's field.

vLLM takes the text of a template where it takes a path (`load_chat_template` in vllm/renderers/chat_utils/
chat_template.py). So the text travels in the server's command line, the same way to a pod, a TPU VM and a
compose file, and is part of the release's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

FIELD = "chat_template"
MOST_BYTES = 32 * 1024
"""Longest template. Linux allows 128 KiB for one argument (`MAX_ARG_STRLEN` in
include/uapi/linux/binfmts.h), and Compute Engine 256 KiB for one metadata value, which also holds the other
files of a TPU VM's boot."""


def with_chat_template(engine: Mapping[str, object], folder: Path) -> dict[str, object]:
    """Returns the engine's fields with the text of the chat template instead of its path in `folder`.

    Raises ValueError, one sentence, for a path that nothing would bring to the server.
    """
    path = engine.get(FIELD)
    if not isinstance(path, str) or not path:
        return dict(engine)
    return {**engine, FIELD: _text(path, folder)}


def _text(path: str, folder: Path) -> str:
    if any(mark in path for mark in "{}\n\0"):
        raise ValueError(
            f"engine.{FIELD} holds the text of a template; write it into a file beside the stack file, and "
            "the path of that file here."
        )
    file = (folder / path).resolve()
    if not file.is_relative_to(folder.resolve()):
        raise ValueError(
            f"engine.{FIELD} is {path}, which is outside the stack file's folder and which nothing brings "
            "to the server; copy the template into that folder, and write its path from there."
        )
    if not file.is_file():
        raise ValueError(
            f"engine.{FIELD} is {path}, and the stack file's folder has no such file; write the path of a "
            "template from there, such as templates/chat.jinja."
        )
    content = file.read_bytes()
    if len(content) > MOST_BYTES:
        raise ValueError(
            f"engine.{FIELD} is {path} with {len(content):,} bytes; a template may have {MOST_BYTES:,} "
            "bytes, because it travels in the server's command line; shorten it."
        )
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"engine.{FIELD} is {path}, which is not text in UTF-8; save it as that.") from None
    if "{" not in text or "\0" in text:
        raise ValueError(
            f"engine.{FIELD} is {path}, which is not a Jinja template: it has no "
            f"{{{{ or {{% in it; name the file of a template."
        )
    return text
