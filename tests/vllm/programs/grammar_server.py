"""Runs in the model server's own Python: which calls xgrammar accepts. Rows of JSON in, answers out."""

import json
import sys
from types import SimpleNamespace

import xgrammar

from agent.server import gemma4_tool_calls as calls
from tests.vllm.grammar_calls import VOCABULARY

TOKENS = {name: number for number, name in enumerate(VOCABULARY)}
CONTROL = {name: number for name, number in TOKENS.items() if name.startswith("<") and len(name) > 1}
INFO = xgrammar.TokenizerInfo(
    VOCABULARY,
    vocab_type=xgrammar.VocabType.RAW,
    vocab_size=len(VOCABULARY),
    stop_token_ids=[TOKENS["<eos>"]],
)


def split(text):
    """Tokens of a text: a name of the vocabulary where one begins, else one character."""
    while text:
        name = next((name for name in CONTROL if text.startswith(name)), text[0])
        yield TOKENS[name]
        text = text[len(name) :]


def accepts(row):
    functions = [SimpleNamespace(**function) for function in row["functions"]]
    tag = calls.structural_tag(functions, row["choice"], CONTROL)
    compiled = xgrammar.GrammarCompiler(INFO).compile_structural_tag(json.dumps(tag.model_dump()))
    xgrammar.Grammar.from_structural_tag(
        json.dumps(tag.model_dump())
    )  # vLLM's own check, without a tokenizer.
    matcher = xgrammar.GrammarMatcher(compiled)
    return all(matcher.accept_token(token) for token in [*split(row["text"]), TOKENS["<eos>"]])


if __name__ == "__main__":
    print(json.dumps([accepts(row) for row in json.load(sys.stdin)]))
