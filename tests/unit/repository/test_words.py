"""Checks the vocabulary of docs/style.md: banned words, British spellings, and how docstrings open."""

import functools
import re
from collections.abc import Iterator
from pathlib import Path

import codespell_lib
import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
STYLE = REPOSITORY / "docs" / "style.md"
SUFFIXES = {".md", ".py", ".sh", ".yaml", ".yml", ".toml", ".in"}
NOT_READ = ("docs/style.md", "tests/unit/repository/test_words.py", "tests/inventory/*.yaml")
"""The rules themselves, their examples, and golden plans, whose texts come from files that are read."""
FOLDERS_NOT_READ = {"venv", "__pycache__", "node_modules"}
API_NAMES = {"cancelled", "cancelling"}
"""asyncio and GitHub Actions spell them so."""
OPENER = re.compile(r'^[ \t]*[rf]?"""(What|Whether|Where|Who|How)\b', re.MULTILINE)
ALLOWED = re.compile(r"stand-alone|\b(?:left|leave|leaves|let) alone\b", re.IGNORECASE)
WORD = re.compile(r"[A-Za-z]+")


@functools.cache
def banned() -> frozenset[str]:
    """Returns every term in the table under "Words" in docs/style.md, without apostrophes."""
    table = STYLE.read_text("utf-8").split("\n## Words\n")[1]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    terms = frozenset(" ".join(WORD.findall(term)) for row in rows for term in re.findall(r"`([^`]+)`", row))
    assert len(terms) > 20, "the table of docs/style.md could not be read"
    return terms


@functools.cache
def british() -> dict[str, str]:
    """Returns British spellings and their American ones, from codespell's dictionary."""
    file = Path(codespell_lib.__file__).parent / "data" / "dictionary_en-GB_to_en-US.txt"
    rows = (line.split("->") for line in file.read_text("utf-8").splitlines())
    return {wrong: right.rstrip(",") for wrong, right in rows if wrong not in API_NAMES}


def hits(text: str) -> list[str]:
    """Returns, once each, the words and openers in `text` that docs/style.md rejects."""
    words = " ".join(WORD.findall(ALLOWED.sub("", text).lower()))
    used = set(words.split())
    found = sorted(
        term for term in banned() if (f" {term} " in f" {words} " if " " in term else term in used)
    )
    found += sorted({f"a docstring that opens with {opener}" for opener in OPENER.findall(text)})
    return found + [f"{word} (American: {british()[word]})" for word in sorted(used & british().keys())]


def files(folder: Path) -> Iterator[Path]:
    """Yields every text file below `folder` that people write; of hidden folders, only those of .github."""
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            hidden = path.name.startswith(".") and path.name != ".github"
            if not hidden and path.name not in FOLDERS_NOT_READ:
                yield from files(path)
        elif is_read(path):
            yield path


def is_read(path: Path) -> bool:
    """Returns whether `path` is text that people write and that has to follow the rules."""
    relative = path.relative_to(REPOSITORY)
    written = path.suffix in SUFFIXES or path.name == "Makefile"
    return written and not any(relative.match(pattern) for pattern in NOT_READ)


@functools.cache
def hits_by_file() -> dict[str, list[str]]:
    """Returns the hits of each file that has any, by the path from the root."""
    found = {str(path.relative_to(REPOSITORY)): hits(path.read_text("utf-8")) for path in files(REPOSITORY)}
    assert "README.md" in found and "__main__.py" in found
    return {path: words for path, words in found.items() if words}


def test_words_are_those_of_the_style_page() -> None:
    assert hits_by_file() == {}, "docs/style.md says what to write instead"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("The stack file is not YAML; mend it.", "mend"),
        ("Anew, the pods are made.", "anew"),
        ("It reads the bucket alone.", "alone"),
        ("Read by name\nalone, it fails.", "alone"),
        ("The stack tells its outputs.", "tells"),
        ("a folder of ours", "of ours"),
        ("a project of one's own", "of one s own"),
        ("Another hostname is another one.", "is another one"),
        ("a pretended Google Cloud", "pretended"),
        ('    """Whether each daemon answers."""', "a docstring that opens with Whether"),
        ('"""What the bill shows.', "a docstring that opens with What"),
        ("memory utilisation", "utilisation (American: utilization)"),
    ],
)
def test_a_rejected_word_is_found(text: str, word: str) -> None:
    assert hits(text) == [word]


@pytest.mark.parametrize(
    "text",
    [
        "A stand-alone program. The disk is left alone.",
        "Fix it, and run it again.",
        "The amendment recommends a tale; retold, untold, mental.",
        "asyncio raises cancelled.",
        'x = """Whatever"""',
        '"""Whoever reads this."""',
    ],
)
def test_other_words_pass(text: str) -> None:
    assert hits(text) == []
