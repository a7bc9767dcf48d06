"""Grammar of Gemma 4's tool calls for vLLM's tool parser, so that a required call is always made.

vLLM 0.32 has no grammar for Gemma 4: with `tool_choice` `required` or a named function it answers 200 with
prose, and `strict` arguments follow no schema. A tool parser with a `structural_tag_model` can supply one.
This module registers such a parser instead of vLLM's `gemma4` and inherits the rest of that parser.

A call is written `<|tool_call>call:NAME{key:VALUE,key:VALUE}<tool_call|>`; a text in it stands between two
`<|"|>` tokens (vllm/parser/gemma4.py). The module imports vLLM only when it registers the parser.
"""

# pyright: basic
# The libraries of the server's image are not installed for the type checker.

import re
from collections.abc import Iterable, Mapping
from typing import Any

NAME = "gemma4"
"""Name of the parser in --tool-call-parser."""

CALL, END_OF_CALL, QUOTE = "<|tool_call>", "<tool_call|>", '<|"|>'
PLAIN_KEY = re.compile(r"[A-Za-z0-9_.$-]+")
"""A key whose end is clear in Gemma 4's syntax, which has no quotes around keys."""

IGNORED = frozenset(
    {"title", "description", "default", "examples", "$schema", "$id", "$comment", "deprecated"}
)
"""Keys of a JSON schema that constrain nothing."""

ANY_VALUE = r"""
any ::= text | number | "true" | "false" | "null" | list | object
list ::= "[" (any ("," any)*)? "]"
object ::= "{" (pair ("," pair)*)? "}"
pair ::= key ":" any
key ::= [A-Za-z0-9_.$-]+
number ::= integer ("." [0-9]+)? ([eE] [+-]? [0-9]+)?
integer ::= "-"? ("0" | [1-9] [0-9]*)
"""


class Unsupported(ValueError):
    """A JSON schema that the grammar cannot express; the text names the part."""


def literal(text: str) -> str:
    """Return `text` as a literal of xgrammar's EBNF."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + quoted.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") + '"'


class Arguments:
    """The grammar of one function's arguments, `{` and `}` included.

    `strict`: the arguments follow the JSON schema, its properties in the schema's order. Otherwise they are
    any of the declared properties in any order, and a part of the schema that cannot be expressed allows any
    value.
    """

    def __init__(self, schema: object, strict: bool, quote: int, forbidden: Iterable[int]) -> None:
        self._strict = strict
        self._quote = f"Token({quote})"
        self._root = schema if isinstance(schema, dict) else {}
        self._rules: dict[str, str] = {}
        self._references: dict[str, str] = {}
        banned = ", ".join(str(token) for token in sorted({quote, *forbidden}))
        text = f"text ::= {self._quote} ExcludeToken({banned})* {self._quote}"
        body = self._object(self._root) if self._root.get("properties") or strict else "object"
        if not self._root.get("properties") and self._root.get("additionalProperties", False) is False:
            body = '"{" "}"'
        rules = [f"{name} ::= {rule}" for name, rule in self._rules.items()]
        self.ebnf = "\n".join([f"root ::= {body}", *rules, text, ANY_VALUE.strip()])

    def _rule(self, body: str) -> str:
        name = f"rule{len(self._rules)}"
        self._rules[name] = body
        return name

    def _value(self, schema: object) -> str:
        try:
            return self._exactly(schema)
        except Unsupported:
            if self._strict:
                raise
            return "any"

    def _exactly(self, schema: object) -> str:
        if schema is True or schema == {}:
            return "any"
        if not isinstance(schema, dict):
            raise Unsupported(f"{schema!r}")
        known = {key: value for key, value in schema.items() if key not in IGNORED}
        if "$ref" in known:
            return self._reference(known["$ref"])
        if "const" in known:
            return self._constant(known["const"])
        if "enum" in known:
            return self._rule(" | ".join(self._constant(value) for value in known["enum"]))
        for either in ("anyOf", "oneOf"):
            if either in known:
                return self._rule(" | ".join(self._value(part) for part in known[either]))
        kinds = known.get("type")
        if isinstance(kinds, list):
            return self._rule(" | ".join(self._value({**schema, "type": kind}) for kind in kinds))
        return self._of_type(kinds, known)

    def _of_type(self, kind: object, schema: Mapping[str, Any]) -> str:
        allowed = {
            "object": {"properties", "required", "additionalProperties"},
            "array": {"items", "minItems", "maxItems"},
        }
        beyond = set(schema) - {"type"} - allowed.get(str(kind), set())
        if beyond:
            raise Unsupported(f"'{min(beyond)}' of {kind}")
        if kind == "object":
            return self._rule(self._object(schema))
        if kind == "array":
            return self._rule(self._array(schema))
        simple = {
            "string": "text",
            "integer": "integer",
            "number": "number",
            "boolean": '("true" | "false")',
            "null": '"null"',
        }
        if kind not in simple:
            raise Unsupported(f"type {kind!r}")
        return simple[str(kind)]

    def _constant(self, value: object) -> str:
        if isinstance(value, str):
            return (
                f"({self._quote} {literal(value)} {self._quote})"
                if value
                else f"({self._quote} {self._quote})"
            )
        if isinstance(value, bool) or value is None:
            return literal({True: "true", False: "false", None: "null"}[value])
        if isinstance(value, int | float):
            return literal(str(value))
        raise Unsupported("an object or a list in 'enum' or 'const'")

    def _reference(self, where: object) -> str:
        path = str(where)
        if path not in self._references:
            found: Any = self._root
            for step in path.removeprefix("#").strip("/").split("/") if path != "#" else ():
                found = found.get(step) if isinstance(found, dict) else None
            if not path.startswith("#") or not isinstance(found, dict):
                raise Unsupported(f"the reference {path!r}")
            self._references[path] = name = self._rule("")
            self._rules[name] = self._value(found)
        return self._references[path]

    def _array(self, schema: Mapping[str, Any]) -> str:
        item = self._value(schema.get("items", True))
        least, most = schema.get("minItems", 0), schema.get("maxItems")
        if most == 0:
            return '"[" "]"'
        more = f"{{{max(least - 1, 0)},{'' if most is None else most - 1}}}"
        items = f'{item} ("," {item}){more}'
        return f'"[" {items} "]"' if least else f'"[" ({items})? "]"'

    def _object(self, schema: Mapping[str, Any]) -> str:
        properties: dict[str, Any] = schema.get("properties") or {}
        for key in properties:
            if not PLAIN_KEY.fullmatch(key):
                raise Unsupported(f"the property name {key!r}")
        extra = schema.get("additionalProperties", False)
        if self._strict and extra is not False:
            raise Unsupported("'additionalProperties' other than false")
        pairs = {key: f"{literal(key + ':')} {self._value(part)}" for key, part in properties.items()}
        if not pairs:
            return '"{" "}"' if extra is False else "object"
        if not self._strict:
            either = self._rule(" | ".join(pairs.values()))
            return f'"{{" ({either} ("," {either})*)? "}}"'
        return f'"{{" {self._in_order(pairs, set(schema.get("required", ())))} "}}"'

    def _in_order(self, pairs: Mapping[str, str], required: set[str]) -> str:
        """Return the rule of all properties in order; each has a rule with a comma and one without."""
        first, later = '""', '""'
        for key, pair in reversed(list(pairs.items())):
            with_it, with_comma = f"{pair} {later}", f'"," {pair} {later}'
            if key not in required:
                with_it, with_comma = f"{with_it} | {first}", f"{with_comma} | {later}"
            first, later = self._rule(with_it), self._rule(with_comma)
        return first


def structural_tag(functions: Iterable[Any], choice: str, tokens: Mapping[str, int]) -> Any:
    """Return xgrammar's structural tag: calls of these functions, and with `auto` any text around them.

    `choice` is xgrammar's: `auto`, `required` or `forced` (one call). Raises Unsupported for a strict
    function whose schema cannot be expressed.
    """
    from xgrammar import structural_tag as formats  # pyright: ignore[reportMissingImports]

    call, end = (formats.TokenFormat(token=tokens[name]) for name in (CALL, END_OF_CALL))
    tags: list[Any] = []
    for function in functions:
        strict = function.strict is True
        try:
            arguments = Arguments(function.parameters, strict, tokens[QUOTE], tokens.values())
        except Unsupported as problem:
            raise Unsupported(f"the parameters of the function {function.name!r}: {problem}") from None
        name = formats.ConstStringFormat(value=f"call:{function.name}")
        content = [name, formats.GrammarFormat(grammar=arguments.ebnf)]
        tags.append(formats.TagFormat(begin=call, content=formats.SequenceFormat(elements=content), end=end))
    if choice == "auto":
        found = formats.TokenTriggeredTagsFormat(trigger_tokens=[tokens[CALL]], tags=tags)
    else:
        found = formats.TagsWithSeparatorFormat(
            tags=tags, separator="", at_least_one=True, stop_after_first=choice == "forced"
        )
    return formats.StructuralTag(format=found)


def control_tokens(tokenizer: Any) -> dict[str, int]:
    """Return the tokens that no text contains: the tokenizer's special ones and those of tool calls."""
    vocabulary = tokenizer.get_vocab()
    names = [*tokenizer.all_special_tokens, CALL, END_OF_CALL, QUOTE]
    return {name: vocabulary[name] for name in names if name in vocabulary}


def register() -> None:
    """Be the entry point of `vllm.general_plugins`; vLLM imports the parser when it makes one."""
    from vllm.tool_parsers import ToolParserManager  # pyright: ignore[reportMissingImports]

    ToolParserManager.register_lazy_module(NAME, "agent.server.gemma4_tool_parser", "Gemma4ToolParser")
