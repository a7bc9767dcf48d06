"""Lists in the README, type by type, of what the fake cloud cannot know.

python -m tools.fake_gcp.limits      # write it again, after a new type or a new table
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tools.fake_gcp.checks import request, values
from tools.fake_gcp.checks.diff import look
from tools.fake_gcp.cloud import operations
from tools.fake_gcp.schema import kind, provider
from tools.fake_gcp.schema.example_parts import CONFIG
from tools.fake_gcp.schema.examples import EXAMPLES
from tools.fake_gcp.schema.kind import Kind

README = Path(__file__).parent / "README.md"
BEGIN, END = "<!-- limits -->\n", "<!-- end of limits -->\n"


def newer(of: Kind) -> Iterator[str]:
    """Yield inputs of the SDK that the provider's schema lacks."""
    yield from provider.of(of.token).newer


def words(of: Kind) -> Iterator[str]:
    """Yield inputs for which Google states words, and the table does not."""
    table = provider.of(of.token)
    for path in request.enums(of):
        if path not in table.values and path not in table.newer and path not in table.outputs:
            yield path


def outputs(of: Kind) -> Iterator[str]:
    """Yield outputs of the real provider that the fake cloud does not give."""
    declared = provider.of(of.token).outputs
    identity = values.identity(of, EXAMPLES[of.token], CONFIG) or ""
    given = operations.new_entry(of, identity, EXAMPLES[of.token], CONFIG)["outputs"]
    for path in declared:
        above = [path[:at] for at, letter in enumerate(path) if letter == "."]
        if look(given, path) is None and not declared.intersection(above):
            yield path


SECTIONS: Mapping[str, Any] = {
    "Inputs that are newer than the provider's schema; they are refused": newer,
    "Inputs whose words are known from Google only; the provider may take fewer": words,
    "Outputs that are left out; a program that reads one gets nothing": outputs,
}


def text() -> str:
    """Return the lists in Markdown."""
    lines: list[str] = []
    for title, section in SECTIONS.items():
        lines += [f"### {title}", ""]
        for token, of in sorted(kind.every().items()):
            groups = provider.grouped(sorted(section(of)))
            found = [f"`{f'{above}: ' if above else ''}{names}`" for above, names in sorted(groups.items())]
            if found:
                lines.append(f"- {token.removeprefix('gcp:')}: {', '.join(found)}")
        lines.append("")
    return "\n".join(lines[:-1]) + "\n"


def parts() -> tuple[str, str, str]:
    """Split the README: the text before the lists, the lists, and the text after them."""
    before, _, rest = README.read_text("utf-8").partition(BEGIN)
    lists, _, after = rest.partition(END)
    return before, lists, after


if __name__ == "__main__":
    start, _, finish = parts()
    README.write_text(start + BEGIN + text() + END + finish, "utf-8")
