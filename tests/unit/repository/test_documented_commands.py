"""Code blocks of the documents: each is shell, YAML or one of a few others, and its commands exist.

Nothing is run: bash parses the shell, and the words that this repository defines are looked up in it.
"""

import itertools
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.unit.repository.test_docs_links import FENCE, REPOSITORY, documents

BLOCK = re.compile(r"(?:^|\n)[ \t]*\n((?: {4}.*\n)+)")
OTHERS = (
    "client -> DNS name",  # docs/architecture.md: the way of a request
    "1  the scheduler",  # docs/architecture.md: the steps of a boot
    "/Pulumi.prod.yaml",  # docs/operations-github.md: lines of CODEOWNERS
    "Pulumi.yaml, ",  # README.md: the folders
    "from tools.",  # tools/fake_gcp/README.md: Python
)
"""Beginnings of blocks that are neither shell nor YAML."""
TEMPLATE = "docs/adr/README.md"
"""Its blocks are the text of a new record."""

PROGRAMS = """
cat cd chmod crane curl date dig docker eval export gcloud gh go grep kubectl make mkdir openssl pip
printf pulumi python python3.12 sed tr umask
"""
OWN = re.compile(r"(?:\.\./)?\.venv/bin/(\w[\w-]*)")
"""Program of the repository's environment."""
INSTALLED = {"pip", "pre-commit", "python", "uv"}
KEYWORDS = {"do", "done", "for", "in", "then", "fi", "if"}
GCLOUD = """
auth certificate-manager components compute config container iam kms logging monitoring projects
secrets services storage
"""
KUBECTL = "apply create delete describe get logs port-forward uncordon"
PULUMI = "config destroy install preview refresh stack up"


def blocks(text: str) -> list[str]:
    """Returns the indented blocks of a document, and its fenced ones, without their indentation."""
    fenced = [match.group(0).split("\n", 1)[1].rsplit("\n", 1)[0] for match in FENCE.finditer(text)]
    indented = BLOCK.findall(FENCE.sub("", text) + "\n")
    return [*fenced, *(re.sub(r"^ {4}", "", block, flags=re.MULTILINE) for block in indented)]


def commands(block: str) -> Iterator[list[str]]:
    """Yields the simple commands of shell: their words, without assignments before them and comments."""
    for line in block.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.wordchars += "$<>{},:@%+"
        words: list[str] = []
        for word in (*lexer, ";"):
            if not set(word) <= set("();&|"):
                words.append(word)
            elif words:
                yield from _command(words)
                words = []


def _command(words: list[str]) -> Iterator[list[str]]:
    if words[0] == "for":
        return
    while words and (words[0] in KEYWORDS or re.match(r"\w+=", words[0])):
        words = words[1:]
    if words:
        yield words


def problems(words: list[str]) -> Iterator[str]:
    """Yields what is wrong with a simple command."""
    program = OWN.sub(r"\1", words[0])
    if program not in (INSTALLED if program != words[0] else PROGRAMS.split()):
        yield f"{words[0]} is no known program"
    match [program, *words[1:]]:
        case ["make", *rest]:
            yield from _make(rest)
        case ["python", "-m", module, *_]:
            path = REPOSITORY / module.replace(".", "/")
            if module != "pytest" and not (
                path.with_suffix(".py").exists() or (path / "__main__.py").exists()
            ):
                yield f"there is no module {module}"
        case ["pulumi", verb, *rest]:
            yield from _pulumi(verb, rest)
        case ["gcloud", *rest]:
            group = next(word for word in rest if word not in ("alpha", "beta"))
            if group not in GCLOUD.split():
                yield f"gcloud has no known group {group}"
        case ["kubectl", verb, *_] if verb not in KUBECTL.split():
            yield f"kubectl has no known verb {verb}"
        case ["gh", "workflow", "run", file, *rest]:
            yield from _workflow(file, rest)
        case _:
            pass


MAKEFILE = (REPOSITORY / "Makefile").read_text("utf-8")
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))


def _make(words: list[str]) -> Iterator[str]:
    target, *rest = [word for word in words if not word.startswith("-")]
    if target not in TARGETS:
        yield f"make has no target {target}"
    for variable in re.findall(r"\b([A-Z]+)=", " ".join(rest)):
        if not re.search(rf"\$(?:\$|\(){variable}\b", MAKEFILE):
            yield f"the Makefile reads no variable {variable}"


def _pulumi(verb: str, words: list[str]) -> Iterator[str]:
    if verb not in PULUMI.split():
        yield f"pulumi has no known command {verb}"
    for option, stack in itertools.pairwise(words):
        if option in ("-s", "--stack") and not (REPOSITORY / f"Pulumi.{stack}.yaml").exists():
            yield f"there is no stack file of {stack}"
    if [verb, *words[:1]] == ["config", "set"]:
        key = next(word for word in words[1:] if not word.startswith("-"))
        name = re.fullmatch(r"tpuserve:(?:\w+\.)*(\w+)", key)
        schema = (REPOSITORY / "config" / "schema.json").read_text("utf-8")
        if name is None or f'"{name.group(1)}": {{' not in schema:
            yield f"{key} is no setting"


def _workflow(file: str, words: list[str]) -> Iterator[str]:
    path = REPOSITORY / ".github" / "workflows" / file
    if not path.exists():
        yield f"there is no workflow {file}"
        return
    # YAML 1.1 reads the key `on` as true.
    inputs = yaml.safe_load(path.read_text("utf-8"))[True]["workflow_dispatch"]["inputs"]
    for word in words:
        if "=" in word and word.partition("=")[0] not in inputs:
            yield f"{file} has no input {word.partition('=')[0]}"


def is_shell(block: str) -> bool:
    """Returns whether a block is neither YAML nor one of the others."""
    if block.lstrip().startswith(OTHERS):
        return False
    try:
        return not isinstance(yaml.safe_load(block), dict)
    except yaml.YAMLError:
        return True


WITH_SHELL = [
    file
    for file in documents()
    if str(file.relative_to(REPOSITORY)) != TEMPLATE
    and any(is_shell(block) for block in blocks(file.read_text("utf-8")))
]


@pytest.mark.parametrize("file", WITH_SHELL, ids=lambda file: str(file.relative_to(REPOSITORY)))
def test_commands_of_a_document(file: Path) -> None:
    shell = [block for block in blocks(file.read_text("utf-8")) if is_shell(block)]
    done = subprocess.run(["bash", "-n"], input="\n".join(shell), text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    found = [words for block in shell for words in commands(block)]
    assert found
    assert [(words, problem) for words in found for problem in problems(words)] == []


def test_the_documents_with_commands_are_found() -> None:
    names = {file.name for file in WITH_SHELL}
    assert {"README.md", "CONTRIBUTING.md", "operations.md", "operations-tpu-vm.md", "alerts.md"} <= names


@pytest.mark.parametrize("file", documents(), ids=lambda file: str(file.relative_to(REPOSITORY)))
def test_make_in_a_sentence_names_a_target(file: Path) -> None:
    named = set(re.findall(r"`make ([a-z][a-z-]*)", file.read_text("utf-8")))
    assert named <= TARGETS


def test_what_a_block_is() -> None:
    text = "Text\n\n    make up\n    make test\n\n- item\n\n      deeper\n\n```sh\ngcloud auth login\n```\n"
    assert blocks(text) == ["gcloud auth login", "make up\nmake test\n", "  deeper\n"]
    assert is_shell("make up\n") and is_shell("KEY=x\ncurl y\n")
    assert not is_shell("tpuserve:model:\n  revision: x\n") and not is_shell("1  the scheduler finds")


def test_what_a_command_is() -> None:
    block = (
        "A=1 make up    # comment\n"
        "for x in a b; do gcloud auth login \\\n  --quiet; done\n"
        "(umask 077; printf '%s' \"$(cat FILE)\" | tr -d x > y)\n"
    )
    assert list(commands(block)) == [
        ["make", "up"],
        ["gcloud", "auth", "login", "--quiet"],
        ["umask", "077"],
        ["printf", "%s", "$(cat FILE)"],
        ["tr", "-d", "x", ">", "y"],
    ]


WRONG = (
    ("makee up", "makee is no known program"),
    ("make nothing", "make has no target nothing"),
    ("make doctor STAK=prod", "the Makefile reads no variable STAK"),
    ("python -m explian engine", "there is no module explian"),
    ("pulumi upp -s prod", "pulumi has no known command upp"),
    ("pulumi up -s prd", "there is no stack file of prd"),
    ("pulumi config set --path target.protect false -s prod", "target.protect is no setting"),
    (
        "pulumi config set --path tpuserve:target.protekt false -s prod",
        "tpuserve:target.protekt is no setting",
    ),
    ("gcloud beta secerts list", "gcloud has no known group secerts"),
    ("kubectl log POD", "kubectl has no known verb log"),
    ("gh workflow run upp.yml", "there is no workflow upp.yml"),
    ("gh workflow run up.yml -f stak=prod", "up.yml has no input stak"),
    (".venv/bin/pytst tests", ".venv/bin/pytst is no known program"),
)


@pytest.mark.parametrize(("command", "problem"), WRONG, ids=[problem for _, problem in WRONG])
def test_a_mistake_would_be_found(command: str, problem: str) -> None:
    (words,) = commands(command)
    assert list(problems(words)) == [problem]
