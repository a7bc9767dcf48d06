"""Checks all Markdown documents: relative links, anchors, and the paths of this repository that they name."""

import functools
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
FENCE = re.compile(r"^( {0,3})(```|~~~).*?^\1\2", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\]\(\s*<?([^)>\s]+)>?[^)]*\)")
"""Links and images; the text of a link may be an image, so only its end is looked at."""
REFERENCE = re.compile(r"^ {0,3}\[[^\]]+\]:\s*<?(\S+?)>?\s*$", re.MULTILINE)
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
"""A URL's scheme: such links are not followed here."""
PATH = re.compile(r"(?<!VT )(?<!TI )`(\.?[\w-]+(?:/[\w.-]+)+/?)`")
"""In docs/claims.md, VT and TI stand before paths of the server's wheels."""


def documents() -> list[Path]:
    """Returns every Markdown file of the repository, without those of hidden and generated folders."""
    found = list(REPOSITORY.glob("*.md")) + list((REPOSITORY / ".github").glob("*.md"))
    for folder in REPOSITORY.iterdir():
        if folder.is_dir() and not folder.name.startswith("."):
            found += [path for path in folder.rglob("*.md") if not {"venv", "node_modules"} & set(path.parts)]
    return sorted(found)


def slug(heading: str) -> str:
    """Returns the anchor that GitHub makes of a heading's text."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")


@functools.cache
def anchors(file: Path) -> frozenset[str]:
    """Returns the anchors of a document; the second heading of the same text ends in -1."""
    text = FENCE.sub("", file.read_text("utf-8"))
    seen: Counter[str] = Counter()
    found = set(re.findall(r'<a (?:id|name)="([^"]+)"', text))
    for heading in HEADING.findall(text):
        name = slug(heading)
        found.add(f"{name}-{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return frozenset(found)


def broken_links(file: Path) -> Iterator[str]:
    """Yields each relative link of a document whose file or anchor does not exist."""
    text = INLINE_CODE.sub("``", FENCE.sub("", file.read_text("utf-8")))
    for link in (*LINK.findall(text), *REFERENCE.findall(text)):
        if ELSEWHERE.match(link):
            continue
        name, _, anchor = link.partition("#")
        target = (file.parent / name).resolve() if name else file
        if not target.exists():
            yield f"{link}: no such file"
        elif anchor and target.suffix == ".md" and anchor not in anchors(target):
            yield f"{link}: no heading makes this anchor"


def named_paths(file: Path) -> set[str]:
    """Returns the paths in back quotes that begin with a folder of this repository, now or planned."""
    folders = {path.name for path in REPOSITORY.iterdir() if path.is_dir()}
    words = PATH.findall(FENCE.sub("", file.read_text("utf-8")))
    return {word for word in words if word.split("/")[0] in folders}


@pytest.mark.parametrize("file", documents(), ids=lambda file: str(file.relative_to(REPOSITORY)))
def test_links_lead_somewhere(file: Path) -> None:
    assert list(broken_links(file)) == []


@pytest.mark.parametrize("file", documents(), ids=lambda file: str(file.relative_to(REPOSITORY)))
def test_named_paths_exist(file: Path) -> None:
    missing = {path for path in named_paths(file) if not (REPOSITORY / path).exists()}
    assert missing == set(), "these files have moved or never were"


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("[a](other.md)", []),
        ("[a](other.md#two-words)", []),
        ("[a](#top)", []),
        ("[a](#top-1)", []),
        ("[a](other.md#the-make-up-command-3-steps)", []),
        ("[a](https://example.com/no)", []),
        ("`[a](nowhere.md)`", []),
        ("```\n[a](nowhere.md)\n```", []),
        ("[a](nowhere.md)", ["nowhere.md: no such file"]),
        ("![a](nowhere.svg)", ["nowhere.svg: no such file"]),
        ("[![a](nowhere.svg)](other.md)", ["nowhere.svg: no such file"]),
        ('[a](nowhere.md "title")', ["nowhere.md: no such file"]),
        ("[a]: nowhere.md", ["nowhere.md: no such file"]),
        ("[a](other.md#three)", ["other.md#three: no heading makes this anchor"]),
        ("[a](#bottom)", ["#bottom: no heading makes this anchor"]),
        ("[a](#top-2)", ["#top-2: no heading makes this anchor"]),
    ],
)
def test_the_check_finds_what_is_broken(tmp_path: Path, text: str, broken: list[str]) -> None:
    (tmp_path / "other.md").write_text("# Two words\n## The `make up` command: 3 steps\n", "utf-8")
    file = tmp_path / "document.md"
    file.write_text(f"# Top\n\n## Top\n\n{text}\n", "utf-8")
    assert list(broken_links(file)) == broken
