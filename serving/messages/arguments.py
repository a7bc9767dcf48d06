"""Options of a command."""

import argparse
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """Parser that says what is wrong in one sentence, where argparse prints its usage over several lines."""

    def error(self, message: str) -> NoReturn:
        """End with exit code 2 and a sentence with the mistake and the command's form."""
        form = " ".join(self.format_usage().split()).removeprefix("usage: ")
        self.exit(2, f"{self.prog}: {message}; the command's form is `{form}`.\n")
