"""Schemas, and calls in Gemma 4's syntax that follow them or do not."""

import string
from typing import Any

VOCABULARY = [
    *(
        "<pad>",
        "<eos>",
        "<bos>",
        "<|turn>",
        "<turn|>",
        "<|channel>",
        "<channel|>",
        "<|tool_call>",
        "<tool_call|>",
    ),
    '<|"|>',
    *string.printable,
]


def closed(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def text(value: str) -> str:
    return f'<|"|>{value}<|"|>'


def call(arguments: str, name: str = "f") -> str:
    return f"<|tool_call>call:{name}{arguments}<tool_call|>"


FLAT = closed({"a": {"type": "string"}, "b": {"type": "integer"}, "c": {"type": "boolean"}}, "a", "c")
DEEP = closed(
    {
        "list": {"type": "array", "items": {"type": "number"}, "minItems": 1, "maxItems": 2},
        "inner": closed({"x": {"enum": ["red", 3, None, True]}}, "x"),
    },
    "list",
)
TREE = closed({"left": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}, "left")
DEFINED = {
    **closed({"p": {"$ref": "#/$defs/P"}}, "p"),
    "$defs": {"P": closed({"q": {"const": 'a"b'}}, "q")},
}
NULLABLE = closed({"n": {"type": ["string", "null"], "description": "d"}}, "n")
LOOSE = {
    "type": "object",
    "properties": {"a": {"type": "boolean"}, "d": {"type": "string", "format": "date"}},
}

STRICT: list[tuple[Any, str, bool]] = [
    (FLAT, f"{{a:{text('x')},b:-12,c:true}}", True),
    (FLAT, f"{{a:{text('')},c:false}}", True),
    (FLAT, f"{{a:{text('<b> {},: <not a token>')},c:true}}", True),
    (FLAT, f"{{c:true,a:{text('x')}}}", False),
    (FLAT, f"{{a:{text('x')}}}", False),
    (FLAT, "{a:x,c:true}", False),
    (FLAT, f"{{a:{text('x')},b:1.5,c:true}}", False),
    (FLAT, f"{{a:{text('x')},c:true,d:1}}", False),
    (FLAT, f"{{a:{text('x<eos>')},c:true}}", False),
    (FLAT, f"{{a:{text('x<tool_call|>')},c:true}}", False),
    (FLAT, "{}", False),
    (DEEP, "{list:[1]}", True),
    (DEEP, f"{{list:[1,-2.5e3],inner:{{x:{text('red')}}}}}", True),
    (DEEP, "{list:[1],inner:{x:3}}", True),
    (DEEP, "{list:[1],inner:{x:null}}", True),
    (DEEP, "{list:[1],inner:{x:4}}", False),
    (DEEP, "{list:[1],inner:{}}", False),
    (DEEP, "{list:[]}", False),
    (DEEP, "{list:[1,2,3]}", False),
    (DEEP, "{list:[01]}", False),
    (TREE, "{left:null}", True),
    (TREE, "{left:{left:{left:null}}}", True),
    (TREE, "{left:{}}", False),
    (DEFINED, f"{{p:{{q:{text('a' + chr(34) + 'b')}}}}}", True),
    (DEFINED, f"{{p:{{q:{text('ab')}}}}}", False),
    (NULLABLE, "{n:null}", True),
    (NULLABLE, f"{{n:{text('x')}}}", True),
    (NULLABLE, "{n:true}", False),
    (closed({"a": {"type": "array", "maxItems": 0}}), "{a:[]}", True),
    (closed({"a": {"type": "array", "maxItems": 0}}), "{a:[1]}", False),
    (closed({"a": {"type": "array"}}), f"{{a:[1,{text('x')},{{k:[true,null]}}]}}", True),
    (closed({"a": {}, "b": {}}), "{}", True),
    (closed({"a": {}, "b": {}}), "{b:1}", True),
    (closed({"a": {}, "b": {}}), "{,b:1}", False),
    (closed({}), "{}", True),
    (closed({}), "{a:1}", False),
]
"""Schema, arguments, and whether a strict call may have them."""

NOT_STRICT: list[tuple[Any, str, bool]] = [
    (LOOSE, "{}", True),
    (LOOSE, "{a:true}", True),
    (LOOSE, f"{{d:{text('today')},a:false}}", True),
    (LOOSE, "{d:17}", True),
    (LOOSE, "{a:17}", False),
    (LOOSE, "{e:17}", False),
    ({"type": "object", "additionalProperties": True}, f"{{any:{text('thing')},more:{{k:1}}}}", True),
    ({"type": "object"}, "{}", True),
    ({"type": "object"}, "{a:1}", False),
    (None, "{}", True),
]

FORMS: list[tuple[str, str, bool]] = [
    ("required", call("{}"), True),
    ("required", call("{}") + call("{}", "g"), True),
    ("required", "", False),
    ("required", "Hello", False),
    ("required", call("{}") + "Hello", False),
    ("required", call("{}", "h"), False),
    ("required", "<|tool_call>call:f{}", False),
    ("forced", call("{}"), True),
    ("forced", call("{}") + call("{}"), False),
    ("auto", "Hello", True),
    ("auto", "", True),
    ("auto", "Hello" + call("{}", "g") + "there", True),
    ("auto", "Hello" + call("{}", "h"), False),
]
"""xgrammar's tool choice, what the model says, and whether it may, with functions f and g of no arguments."""


def rows() -> list[dict[str, Any]]:
    """One row for xgrammar for each line above, in this order."""
    found = [
        {
            "functions": [{"name": "f", "strict": strict, "parameters": schema}],
            "choice": "required",
            "text": call(arguments),
        }
        for strict, lines in ((True, STRICT), (False, NOT_STRICT))
        for schema, arguments, _ in lines
    ]
    both = [{"name": name, "strict": None, "parameters": None} for name in ("f", "g")]
    return found + [{"functions": both, "choice": choice, "text": said} for choice, said, _ in FORMS]
