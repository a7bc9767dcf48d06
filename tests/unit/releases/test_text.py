"""Releases for people: one line each, and what two of them differ in."""

from pathlib import Path

from releases.text import differences, listed, shown
from serving.deploy import record
from serving.deploy.record import Record
from tests.unit.releases.stacks import Memory, planned, write


def recorded(folder: Path, **changes: object) -> Record:
    bucket = Memory()
    write(folder, "staging", **changes)
    name = bucket.accept(planned(folder, "staging"))
    return record.parse(bucket.objects[f"releases/{name}.json"], "x")


def test_a_line_says_what_was_accepted_where_and_who_names_it(tmp_path: Path) -> None:
    one = recorded(tmp_path)
    head, line = listed([one], {one.release: ["prod", "prod-eu"]}).splitlines()
    assert head.split()[:4] == ["release", "accepted", "(UTC)", "slice"]
    assert line.split() == [
        *(one.release, "2026-09-21", "14:13", "v6e-4", "gemma-4-26b-a4b-it@0000000"),
        *("vllm-tpu:v0.32.0@aaaaaaaaaaaa", "cccccccccccc", "prod", "prod-eu"),
    ]
    assert head.index("slice") == line.index("v6e-4") and head.index("named by") == line.index("prod")
    bare = one.model_copy(update={"archive": None})
    assert listed([bare], {}).splitlines()[1].endswith("  none           -")


def test_a_shown_record_is_the_record(tmp_path: Path) -> None:
    one = recorded(tmp_path)
    assert record.parse(shown(one), "x") == one


def test_two_records_differ_in_what_was_changed(tmp_path: Path) -> None:
    old, new = recorded(tmp_path), recorded(tmp_path, engine={"max_num_seqs": 32})
    lines = dict(line.split(": ", 1) for line in differences(old, new).splitlines())
    assert lines["release"] == f"{old.release} -> {new.release}"
    assert lines["engine.max_num_seqs"].endswith(" -> 32")
    assert {"argv", "fingerprint"} <= lines.keys() and not {"image", "agent", "model"} & lines.keys()
    assert differences(old, old) == f"{old.release} and {old.release} are one release."
