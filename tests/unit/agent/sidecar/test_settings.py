"""The settings' file: what the deployment writes is read, and each mistake has one sentence."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from agent.sidecar.settings import SettingsProblem, read
from tests.unit.agent.sidecar.conftest import STORE, content


def test_what_the_deployment_writes_is_read(tmp_path: Path) -> None:
    file = tmp_path / "sidecar.json"
    file.write_text(json.dumps(content(tmp_path) | {"store": STORE}))
    chosen = read(file)
    assert chosen.verdict_file == tmp_path / "acceptance.json"
    assert chosen.store and chosen.store.record == "releases/ab12cd34.json"
    assert json.loads(chosen.record.model_dump_json()) == content(tmp_path)["record"]


MISTAKES: list[tuple[str, Any, str]] = [
    ("acceptance.off", ["ladr"], "acceptance.off.0 is \"ladr\"; input should be 'chat', 'stream', "),
    ("acceptance.off", "ladder", 'acceptance.off is "ladder"; input should be a valid array; correct it.'),
    ("acceptance.deadline", 5, "acceptance.deadline is not a name here; remove it."),
    (
        "acceptance.deadline_seconds",
        0,
        "acceptance.deadline_seconds is 0; input should be greater than 0; correct it.",
    ),
    (
        "acceptance.deadline_seconds",
        "600",
        'acceptance.deadline_seconds is "600"; input should be a valid number',
    ),
    (
        "acceptance.tolerance",
        -0.1,
        "acceptance.tolerance is -0.1; input should be greater than or equal to 0",
    ),
    ("acceptance.prompts", [{"prompt": "a"}], "acceptance.prompts.0.expect is missing; set it."),
    (
        "acceptance.prompts",
        [{"prompt": "a", "expect": []}],
        "acceptance.prompts.0.expect is []; tuple should have",
    ),
    (
        "acceptance.ladder.output_tokens",
        1,
        "acceptance.ladder.output_tokens is 1; input should be greater than or",
    ),
    (
        "acceptance.ladder.concurrency",
        [],
        "acceptance.ladder.concurrency is []; tuple should have at least 1 item",
    ),
    (
        "acceptance.ladder.concurrency",
        [0],
        "acceptance.ladder.concurrency.0 is 0; input should be greater than 0",
    ),
    ("server.max_num_seqs", 0, "server.max_num_seqs is 0; input should be greater than 0; correct it."),
    ("server.images", None, "server.images is null; input should be a valid boolean; correct it."),
    ("record.release", "", 'record.release is ""; string should have at least 1 character; correct it.'),
    ("store", {"bucket": "b"}, "store.archive is missing; set it."),
    ("cache_folder", 5, "cache_folder is 5; input should be a valid string; correct it."),
]


@pytest.mark.parametrize(("path", "value", "expected"), MISTAKES, ids=[path for path, _, _ in MISTAKES])
def test_a_mistake_has_a_sentence(tmp_path: Path, path: str, value: Any, expected: str) -> None:
    wrong = copy.deepcopy(content(tmp_path))
    *above, name = path.split(".")
    place = wrong
    for part in above:
        place = place[part]
    place[name] = value
    file = tmp_path / "sidecar.json"
    file.write_text(json.dumps(wrong))
    with pytest.raises(SettingsProblem) as raised:
        read(file)
    assert str(raised.value).splitlines()[0].startswith(f"{file}: {expected}")


@pytest.mark.parametrize(
    "name", ["record", "server", "acceptance", "store", "cache_folder", "api_key_file", "api_key_secret"]
)
def test_nothing_has_a_default(tmp_path: Path, name: str) -> None:
    wrong = content(tmp_path)
    del wrong[name]
    file = tmp_path / "sidecar.json"
    file.write_text(json.dumps(wrong))
    with pytest.raises(SettingsProblem, match=f"{name} is missing; set it."):
        read(file)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "{",
            "sidecar.json: the file is not valid JSON (EOF while parsing an object at line 1 column 1); ",
        ),
        ("[]", "sidecar.json: the file is []; input should be an object; correct it."),
        (
            None,
            "sidecar.json cannot be read (No such file or directory); name the settings of the sidecar by",
        ),
    ],
)
def test_a_file_that_holds_no_settings_has_a_sentence(
    tmp_path: Path, text: str | None, expected: str
) -> None:
    file = tmp_path / "sidecar.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(SettingsProblem) as raised:
        read(file)
    assert expected in str(raised.value)
