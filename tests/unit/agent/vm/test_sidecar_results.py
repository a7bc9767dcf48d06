"""Results of a sidecar, as the boot of a VM reads them."""

import json
from pathlib import Path

import pytest

from agent.compile_cache.records import Published
from agent.vm import sidecar_results


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, ""),
        ("", ""),
        ('{"state": "rej', ""),
        ("[]", ""),
        ('{"state": "running", "sentence": "The acceptance is running."}', ""),
        ('{"state": "accepted", "sentence": "Release a is accepted."}', ""),
        ('{"state": "rejected", "sentence": "Release a is rejected."}', "Release a is rejected."),
    ],
)
def test_only_a_rejection_has_a_sentence(tmp_path: Path, text: str | None, sentence: str) -> None:
    if text is not None:
        (tmp_path / "acceptance.json").write_text(text)
    assert sidecar_results.rejection(tmp_path) == sentence


def test_a_verdict_that_is_not_final_has_a_sentence(tmp_path: Path) -> None:
    assert sidecar_results.verdict(tmp_path).startswith("the sidecar has given no verdict; ")
    (tmp_path / "acceptance.json").write_text('{"state": "running", "sentence": "It is running."}')
    assert sidecar_results.verdict(tmp_path) == "It is running."


def test_a_publication_is_reported_with_its_seconds(tmp_path: Path) -> None:
    Published("before", "published before", "xla/a.tar", seconds=2.5).write(tmp_path)
    assert sidecar_results.publication(tmp_path, 0) == ("published before", 2.5)


def test_a_publication_that_takes_longer_is_not_waited_for(tmp_path: Path) -> None:
    sentence, seconds = sidecar_results.publication(tmp_path, 0)
    assert (sentence, seconds) == ("not yet published after 0 s: see journalctl -u tpuserve-sidecar", 0)


def test_the_result_of_a_trial(tmp_path: Path) -> None:
    assert sidecar_results.trial(tmp_path) == ""
    (tmp_path / "cache-trial.json").write_text(json.dumps({"sentence": "baked, all 1 programs serve"}))
    assert sidecar_results.trial(tmp_path) == "baked, all 1 programs serve"
