"""Tests that `make test TIER=…` and `ONLY=…` run, and the sentence when there are none."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import __main__ as program
from tests import results
from tests.results import Case, Result
from tests.tiers import STAGES, TIERS, Tier, named, tier_of
from tools.support import paths
from tools.support.errors import Refusal

HERE = str(Path(__file__).relative_to(paths.REPOSITORY))
NAMES = [tier.name for tier in TIERS]
FOLDERS = [tier.folder for tier in TIERS if not tier.command]

BAD_TIERS = [
    ("", "TIER is '' and there is no tier '': name one or more of style, "),
    ("unti", "TIER is 'unti' and there is no tier 'unti': name one or more of style, "),
    ("unit,", "TIER is 'unit,' and there is no tier '': "),
    ("unit inventory", "TIER is 'unit inventory' and there is no tier 'unit inventory': "),
]
BAD_TESTS = [
    (
        "tests/unit/nowhere.py",
        "ONLY is 'tests/unit/nowhere.py' and tests/unit/nowhere.py does not exist: name a",
    ),
    ("unit", "ONLY is 'unit' and unit does not exist: name a test file or a folder in tests/unit, "),
    ("tests", "ONLY is 'tests', which is not a test of any tier: "),
    ("", "ONLY is '', which is not a test of any tier: "),
    ("tests/cli.py", "ONLY is 'tests/cli.py', which is not a test of any tier: "),
    (
        "tests/unit/policies/mistakes.py",
        "ONLY is 'tests/unit/policies/mistakes.py', which is not a test of any",
    ),
    ("tests/unit/../cli.py", "ONLY is 'tests/unit/../cli.py', which is not a test of any tier: "),
    ("/etc/passwd", "ONLY is '/etc/passwd', which is not a test of any tier: "),
    ("tests/unit::test_x", "ONLY is 'tests/unit::test_x', which is not a test of any tier: "),
]


@pytest.mark.parametrize(("names", "sentence"), BAD_TIERS)
def test_a_tier_that_is_none(names: str, sentence: str) -> None:
    with pytest.raises(Refusal) as refused:
        named(names)
    text = str(refused.value)
    assert text.startswith(sentence) and "\n" not in text
    assert all(name in text for name in NAMES)


@pytest.mark.parametrize(("only", "sentence"), BAD_TESTS)
def test_a_test_that_is_none(only: str, sentence: str) -> None:
    with pytest.raises(Refusal) as refused:
        tier_of(only)
    text = str(refused.value)
    assert text.startswith(sentence) and "\n" not in text
    assert all(folder in text for folder in FOLDERS)


def test_a_name_that_the_file_has_not() -> None:
    with pytest.raises(Refusal) as refused:
        tier_of(f"{HERE}::test_a_list[no]")
    text = str(refused.value)
    assert text.startswith(f"ONLY is '{HERE}::test_a_list[no]' and there is no such test: {HERE} has test_a_")
    assert "test_a_list, test_" in text and "[unit" not in text and "\n" not in text


@pytest.mark.parametrize("names", ["unit", "inventory, unit", "unit,unit"])
def test_a_list(names: str) -> None:
    assert [tier.name for tier in named(names)] == [name for name in ("unit", "inventory") if name in names]


@pytest.mark.parametrize("only", [HERE, __file__, "tests/unit/serving", f"{HERE}::test_a_list[unit,unit]"])
def test_a_test_of_a_tier(only: str) -> None:
    assert tier_of(only).name == "unit"


def test_every_folder_with_tests_is_a_tier() -> None:
    found = {
        file.relative_to(paths.REPOSITORY).parts[1] for file in paths.REPOSITORY.glob("tests/*/**/test_*.py")
    }
    assert {f"tests/{name}" for name in found} == set(FOLDERS)


def test_every_tier_is_in_one_stage() -> None:
    """One that is in none would end the whole run without its table, after the other tiers have run."""
    staged = sorted(name for stage in STAGES for lane in stage for name in lane)
    assert staged == sorted(tier.name for tier in TIERS)


@pytest.mark.parametrize("words", [["--tier", "unti"], ["--only", "nowhere"], ["--fast", "--tier", "unit"]])
def test_a_bad_request_is_one_sentence_and_exit_2(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TPUSERVE_INSTANCE", "test")
    monkeypatch.setattr(sys, "argv", ["tests", *words])
    assert program.main() == 2
    out, said = capsys.readouterr()
    assert out == "" and len(said.splitlines()) == 1


@pytest.mark.parametrize("only", ["a.py", "a.py::test[$HOME 'q' \"r\" `id` $(id) b]"])
def test_make_hands_every_character_on(only: str) -> None:
    make = shutil.which("make")
    assert make, "the Makefile is how everything here is run"
    words = [make, "-s", "-o", ".venv/complete", "test", "PY=printf '%s\\n'", f"ONLY={only}"]
    done = subprocess.run(words, cwd=paths.REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["-m", "tests", "--only", only]


SAMPLE = """
import time
import pytest

@pytest.fixture(scope="session")
def slow():
    time.sleep(0.1)

@pytest.mark.parametrize("word", ["a", "b"])
def test_passes(slow, word): ...
def test_fails(): assert False
@pytest.mark.skip(reason="of the sample")
def test_skips(): ...
"""


def run_sample(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Result:
    """A real run of pytest on the folder's files."""
    monkeypatch.setattr(paths, "REPOSITORY", folder)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return program.run_tests(Tier("sample"), ".", "-p", "no:cacheprovider")


def test_a_real_run_is_counted_and_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        (tmp_path / f"test_{name}.py").write_text(SAMPLE)
    found = run_sample(tmp_path, monkeypatch)
    assert (found.passed, found.failed, found.skipped) == (4, 2, 2)
    assert "failed: test_b::test_fails" in found.notes
    assert "skipped: test_a::test_skips: of the sample" in found.notes
    assert [case.file for case in found.cases] == ["test_a.py"] * 4 + ["test_b.py"] * 4
    # The first one has the fixture made.
    assert found.cases[0].name == "test_passes[a]" and found.cases[0].seconds >= 0.1


def test_a_run_that_pytest_does_not_survive_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "test_dies.py").write_text("import os\ndef test_dies(): os._exit(7)\n")
    found = run_sample(tmp_path, monkeypatch)
    assert (found.passed, found.failed, found.notes) == (0, 1, ["pytest ended with 7"])


def test_the_seconds_of_each_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TPUSERVE_CACHE", str(tmp_path))
    cases = [Case("a.py", "test_1", 1.0), Case("b.py", "test_2", 0.5), Case("b.py", "test_3", 0.75)]
    assert (
        results.report([Result("sample", passed=3, seconds=3.0, cases=cases), Result("style", passed=1)]) == 0
    )
    out, said = capsys.readouterr()
    assert out == "4 passed, 0 failed, 0 skipped\n"
    file = paths.logs() / "test-seconds.txt"
    assert f"Seconds of each test file: {file}" in said
    assert [line.split() for line in file.read_text().splitlines()[2:]] == [
        ["seconds", "tests", "file,", "and", "its", "slowest", "test"],
        ["1.25", "2", "b.py"],
        ["0.75", "test_3"],
        ["1.00", "1", "a.py"],
        ["1.00", "test_1"],
    ]


@pytest.mark.parametrize(("ci", "code"), [("true", 1), ("", 0)])
def test_under_ci_a_skip_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ci: str, code: int
) -> None:
    monkeypatch.setenv("TPUSERVE_CACHE", str(tmp_path))
    monkeypatch.setenv("CI", ci)
    assert results.report([Result("sample", passed=1, skipped=1, notes=["no root"])]) == code
