"""`python -m serving` has moved to `python -m explain`."""

import sys

sys.exit(
    "python -m serving has moved: run `python -m explain engine` instead of `python -m serving explain`, and "
    "`python -m explain COMMAND` for the other commands."
)
