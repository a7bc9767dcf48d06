"""The compile cache under the sidecar: a baked one's trial ends at the first answer; the result of a
publication is a file."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.compile_cache import folder as folders
from agent.compile_cache import publish as publishing
from agent.compile_cache import trial
from agent.compile_cache.records import TRIAL_FILE, Published, Store
from agent.sidecar import publication
from agent.sidecar.settings import Settings
from tests.unit.agent.sidecar.conftest import STORE, write_events

MakeSettings = Callable[..., Settings]


def baked(folder: Path) -> None:
    """Be the cache of a pod whose server has started on a baked cache of one program."""
    folders.claim("xla/abc.tar", folder)
    trial.begin(folder)
    folders.note_source(folder, folders.Source("xla/abc.baked.tar", "0" * 32, "0" * 64, ["jit_step-1"]))
    (folder / "jit_step-1-cache").write_text("baked")
    trial.start(folder)


@pytest.mark.parametrize(
    ("misses", "warm_up", "said", "state", "programs"),
    [
        (0, True, "baked, all 1 programs serve", "", 1),
        (1, True, "baked, and 1 programs did not load: all baked ones are deleted", "unloaded", 0),
        (
            0,
            False,
            "baked, and the server does not report what it loaded: all baked ones are deleted",
            "unloaded",
            0,
        ),
    ],
)
def test_a_trial_ends_with_the_counts_of_the_warm_up(
    settings: MakeSettings,
    caplog: pytest.LogCaptureFixture,
    misses: int,
    warm_up: bool,
    said: str,
    state: str,
    programs: int,
) -> None:
    chosen = settings()
    write_events(chosen.status_folder, misses=misses, warm_up=warm_up)
    baked(chosen.cache_folder)
    with caplog.at_level(logging.INFO):
        publication.end_trial(chosen)
        publication.end_trial(chosen)
    assert caplog.messages == [said]
    assert json.loads((chosen.status_folder / TRIAL_FILE).read_text()) == {"sentence": said}
    assert trial.state(chosen.cache_folder) == state
    assert len(list(chosen.cache_folder.iterdir())) == programs


def test_a_trial_that_a_disk_ends_stops_no_sidecar(
    settings: MakeSettings, caplog: pytest.LogCaptureFixture
) -> None:
    chosen = settings()
    trial.marker(chosen.cache_folder).mkdir()
    with caplog.at_level(logging.INFO):
        publication.end_trial(chosen)
    assert "cannot be ended ([Errno 21] Is a directory" in caplog.text


@pytest.mark.parametrize("allowed", [True, False])
def test_the_result_of_a_publication_is_a_file(
    settings: MakeSettings, monkeypatch: pytest.MonkeyPatch, allowed: bool
) -> None:
    chosen = settings(lambda content: content.update(store=STORE | {"publish": allowed}))

    def publish(store: Store, folder: Path) -> Published:
        assert (store, folder) == (Store("artifacts", "xla/abc.tar", publish=allowed), chosen.cache_folder)
        return Published("published", "published, 1 programs, 0.00 GB", store.archive, "f" * 64, 1, 10, 0.5)

    monkeypatch.setattr(publishing, "publish", publish)
    publication.publish(chosen)
    result = json.loads(chosen.cache_publish_file.read_text())
    assert (result["result"], result["archive"], result["sha256"]) == ("published", "xla/abc.tar", "f" * 64)


def test_without_a_store_nothing_is_published(settings: MakeSettings) -> None:
    publication.publish(settings())
    assert not settings().cache_publish_file.exists()
