"""An instance's name is a folder that `make clean` removes, so it can be nobody else's."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools.support import paths
from tools.support.errors import Refusal

BAD_NAMES = [
    ("..", "TPUSERVE_INSTANCE is '..', but an instance's name has 1 to 32 of a-z, 0-9 and -: set it to "),
    ("a/b", "TPUSERVE_INSTANCE is 'a/b', but an instance's name has 1 to 32 "),
    ("/", "TPUSERVE_INSTANCE is '/', but an instance's name has 1 to 32 "),
    ("Test", "TPUSERVE_INSTANCE is 'Test', but an instance's name has 1 to 32 "),
    ("a\nb", r"TPUSERVE_INSTANCE is 'a\nb', but an instance's name has 1 to 32 "),
    ("a" * 33, f"TPUSERVE_INSTANCE is '{'a' * 33}', but an instance's name has 1 to 32 "),
    *((name, f"TPUSERVE_INSTANCE is {name}, which is a folder that all instances share") for name in (
        "toolchain", "environments", "logs", "locks", "images", "proofs", "machines"
    )),
]  # fmt: skip


@pytest.mark.parametrize(("name", "sentence"), BAD_NAMES)
def test_a_name_that_is_no_instances(monkeypatch: pytest.MonkeyPatch, name: str, sentence: str) -> None:
    monkeypatch.setenv("TPUSERVE_INSTANCE", name)
    for folder in (paths.instance, paths.cluster, paths.node_data, paths.pulumi_home, paths.offline):
        with pytest.raises(Refusal) as refused:
            folder()
        text = str(refused.value)
        assert text.startswith(sentence) and text.endswith("or unset it.") and "\n" not in text


@pytest.mark.parametrize("name", ["", "local", "test", "mine-2"])
def test_a_name_that_is(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("TPUSERVE_INSTANCE", name)
    assert paths.cluster() == paths.home() / (name or "local") / "cluster"


@pytest.mark.parametrize(
    "words",
    [
        ["local", "up"],
        ["local", "clean"],
        ["local", "preview", "local"],
        ["local.commands.prove"],
        ["local.commands.planner", "simulate"],
        ["local.cluster", "clean"],
    ],
    ids=" ".join,
)
def test_no_command_takes_another_folder_for_an_instance(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "toolchain").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=paths.REPOSITORY,
        env={"PATH": "", "TPUSERVE_CACHE": str(tmp_path), "TPUSERVE_INSTANCE": "toolchain"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert (tmp_path / "toolchain").exists()
