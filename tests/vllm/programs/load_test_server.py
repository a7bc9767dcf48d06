"""Runs in the model server's own Python: a cell with prompts that the server has seen.

Arguments: the seed of the cell that sent them, and the file of a load test's settings. Prints the result of
the first cell, as JSON.
"""

import json
import sys
from pathlib import Path

from agent.load_test.__main__ import plan, subject
from agent.load_test.cell import measure
from agent.load_test.prompts import ModelTokenizer

settings = json.loads(Path(sys.argv[2]).read_text("utf-8"))
server = subject(settings)
tokenizer = ModelTokenizer(server.tokenizer_folder)
print(json.dumps(measure(plan(settings).cells[0], server, tokenizer, seed=int(sys.argv[1]))))
