"""The tiny model's place on the node, with its writer replaced; the writer runs in tests/vllm."""

from importlib import import_module
from pathlib import Path

import pytest

from tools.support.progress import Refusal

# `local.image` has a function of this name.
module = import_module("local.image.tiny_model_cache")


@pytest.fixture(autouse=True)
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("TPUSERVE_CACHE", str(tmp_path / "home"))
    monkeypatch.setattr(module, "ensure_environment", lambda: tmp_path)
    runs: list[str] = []

    def run(title: str, command: list[Path], **_: object) -> None:
        runs.append(title)
        weights = Path(command[-1]) / "model.safetensors"
        weights.write_text(f"written {len(runs)} times")
        weights.chmod(0o600)

    monkeypatch.setattr(module, "run", run)
    return runs


def test_it_is_written_once_and_readable_by_the_server(written: list[str]) -> None:
    folder = module.ensure_model()
    assert module.ensure_model() == folder == module.model() and len(written) == 1
    assert (folder / "model.safetensors").stat().st_mode & 0o777 == 0o644
    assert [place.name for place in folder.parent.iterdir()] == [folder.name]


def test_it_is_written_again_when_its_writer_has_changed(
    written: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = module.ensure_model()
    other = tmp_path / "writer.py"
    other.write_text("")
    monkeypatch.setattr(module, "SCRIPT", other)
    module.ensure_model()
    assert (folder / "model.safetensors").read_text() == "written 2 times"
    assert [place.name for place in folder.parent.iterdir()] == [folder.name]


def test_what_killed_runs_left_is_removed_and_their_folders_are_not_used_again(written: list[str]) -> None:
    place = module.model().parent
    for left in (".unfinished", ".unfinished.77"):
        (place / left).mkdir(parents=True)
        (place / left / "half").touch()
    folder = module.ensure_model()
    assert not (folder / "half").exists()
    assert [each.name for each in place.iterdir()] == [folder.name]


def test_a_writer_that_fails_leaves_the_old_model(
    written: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = module.ensure_model()
    other = tmp_path / "writer.py"
    other.write_text("")
    monkeypatch.setattr(module, "SCRIPT", other)

    def fails(*_: object, **__: object) -> None:
        raise Refusal("no")

    monkeypatch.setattr(module, "run", fails)
    with pytest.raises(Refusal):
        module.ensure_model()
    assert (folder / "model.safetensors").read_text() == "written 1 times"
