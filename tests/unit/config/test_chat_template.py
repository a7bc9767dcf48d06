"""Chat templates: which file of a stack is taken, and the sentence for every other value."""

from pathlib import Path
from typing import Any

import pytest

from config import chat_template
from config.selection import overrides
from config.stack_file import parse
from serving.engine.phases import engine_for

TEXT = "{% for message in messages %}{{ message.content }} costs $(HOME) $$5\n{% endfor %}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of a stack file with good and bad templates in it, and one template beside the folder."""
    (tmp_path / "outside.jinja").write_text(TEXT)
    stack = tmp_path / "stack"
    (stack / "templates").mkdir(parents=True)
    (stack / "templates" / "chat.jinja").write_text(TEXT)
    (stack / "longest.jinja").write_text("{{ 1 }}".ljust(chat_template.MOST_BYTES))
    (stack / "long.jinja").write_text("{{ 1 }}".ljust(chat_template.MOST_BYTES + 1))
    (stack / "notes.txt").write_text("no template\n")
    (stack / "empty.jinja").write_text("")
    (stack / "binary.jinja").write_bytes(b"\xff{{ }}")
    (stack / "null.jinja").write_bytes(b"{{ }}\0")
    (stack / "link.jinja").symlink_to(tmp_path / "outside.jinja")
    return stack


def stack_values(path: object) -> dict[str, object]:
    return {"tpuserve:target": {"kind": "local"}, "tpuserve:engine": {"chat_template": path}}


@pytest.mark.parametrize("path", ["templates/chat.jinja", "./templates/chat.jinja"])
def test_the_engine_gets_the_text_of_the_file(path: str, folder: Path) -> None:
    settings = parse(stack_values(path), [], folder)
    argv = engine_for("tuned", None, settings.engine).argv("/models/m", "m", 8000)
    assert argv[argv.index("--chat-template") + 1] == TEXT
    assert chat_template.with_chat_template(overrides([f"chat_template={path}"]), folder) == settings.engine


def test_the_longest_template_fits(folder: Path) -> None:
    assert engine_for("tuned", None, parse(stack_values("longest.jinja"), [], folder).engine).chat_template


def test_a_stack_without_one_sets_no_field(folder: Path) -> None:
    settings = parse({"tpuserve:target": {"kind": "local"}}, [], folder)
    assert "engine" not in settings.model_fields_set


OUTSIDE = (
    "which is outside the stack file's folder and which nothing brings to the server; copy the template "
    "into that folder, and write its path from there."
)
MISSING = (
    "and the stack file's folder has no such file; write the path of a template from there, such as "
    "templates/chat.jinja."
)
NO_TEMPLATE = "which is not a Jinja template: it has no {{ or {% in it; name the file of a template."
INLINE = (
    "engine.chat_template holds the text of a template; write it into a file beside the stack file, and "
    "the path of that file here."
)
REFUSED = [
    ("/etc/templates/chat.jinja", OUTSIDE),
    ("../outside.jinja", OUTSIDE),
    ("templates/../../outside.jinja", OUTSIDE),
    ("link.jinja", OUTSIDE),
    ("templates/chatt.jinja", MISSING),
    ("templates", MISSING),
    ("tool_chat_template_gemma4.jinja", MISSING),
    ("notes.txt", NO_TEMPLATE),
    ("empty.jinja", NO_TEMPLATE),
    ("null.jinja", NO_TEMPLATE),
    ("binary.jinja", "which is not text in UTF-8; save it as that."),
    (TEXT, INLINE),
    ("chat.jinja\n", INLINE),
]


@pytest.mark.parametrize(("path", "end"), REFUSED)
def test_every_other_value_is_one_sentence(path: str, end: str, folder: Path) -> None:
    with pytest.raises(ValueError) as caught:
        parse(stack_values(path), [], folder)
    prefix = "" if end == INLINE else f"engine.chat_template is {path}, "
    assert str(caught.value) == f"{prefix}{end}"


def test_a_template_that_is_too_long(folder: Path) -> None:
    with pytest.raises(ValueError) as caught:
        parse(stack_values("long.jinja"), [], folder)
    assert str(caught.value) == (
        "engine.chat_template is long.jinja with 32,769 bytes; a template may have 32,768 bytes, because "
        "it travels in the server's command line; shorten it."
    )


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (3, "engine.chat_template is 3; it must be text; write it in quotes."),
        ("", "engine.chat_template is empty; write a value or remove it."),
        (
            "/etc/chat.jinja",
            "engine.chat_template: /etc/chat.jinja is not the text of a template, and nothing brings a "
            "file of that path to the server; name a file beside a stack file.",
        ),
    ],
)
def test_an_engine_takes_no_path(value: Any, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        engine_for("tuned", None, {"chat_template": value})
    assert str(caught.value) == sentence
