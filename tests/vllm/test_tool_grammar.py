"""xgrammar, as the server has it, reads the grammar of tool calls and accepts what it should."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.vllm import oracle
from tests.vllm.grammar_calls import FORMS, NOT_STRICT, STRICT, rows
from tools.support import paths

SCRIPT = Path(__file__).with_name("grammar_server.py")
EXPECTED = [expected for _, _, expected in (*STRICT, *NOT_STRICT, *FORMS)]


@pytest.fixture(scope="module")
def accepted() -> list[bool]:
    run = subprocess.run(
        [oracle.python(), SCRIPT],
        input=json.dumps(rows()),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={"PYTHONPATH": str(paths.REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(run.stdout)


@pytest.mark.parametrize("index", range(len(EXPECTED)), ids=[row["text"] for row in rows()])
def test_a_call_is_accepted_or_not(accepted: list[bool], index: int) -> None:
    assert accepted[index] is EXPECTED[index], rows()[index]
