"""xgrammar, as the server has it, reads the grammar of tool calls and accepts what it should."""

import json
from pathlib import Path

import pytest

from tests.vllm import oracle
from tests.vllm.grammar_calls import FORMS, NOT_STRICT, STRICT, rows

SCRIPT = Path(__file__).parent / "programs" / "grammar_server.py"
EXPECTED = [expected for _, _, expected in (*STRICT, *NOT_STRICT, *FORMS)]


@pytest.fixture(scope="module")
def accepted() -> list[bool]:
    return json.loads(oracle.run(SCRIPT, stdin=json.dumps(rows())))


@pytest.mark.parametrize("index", range(len(EXPECTED)), ids=[row["text"] for row in rows()])
def test_a_call_is_accepted_or_not(accepted: list[bool], index: int) -> None:
    assert accepted[index] is EXPECTED[index], rows()[index]
