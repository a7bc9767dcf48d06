"""Objects that an accepted server leaves in the bucket: its record, the first baseline, nothing twice."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent import agent_files
from agent.sidecar import publication
from agent.sidecar.records import ARCHIVE_SECONDS, Records
from agent.sidecar.settings import Settings
from agent.sidecar.verdict import Cell, Percentiles, Verdict
from agent.store.gcp_api import Problem, Status
from tests.unit.agent.sidecar.conftest import AGENT_FILES, STORE, Bucket, content

MakeSettings = Callable[..., Settings]
TIMES = Percentiles(p50=1.0, p95=2.0)
CELL = Cell(
    concurrency=1,
    prompt_tokens=64,
    output_tokens=4,
    requests=2,
    failures=0,
    time_to_first_token_ms=TIMES,
    time_between_tokens_ms=TIMES,
    output_tokens_per_second=9.0,
)
VERDICT = Verdict(
    release="ab12cd34", state="accepted", sentence="Accepted.", finished=17.5, ladder=(CELL,), baseline=None
)
RECORD, BASELINE, AGENT = STORE["record"], STORE["baseline"], STORE["agent"]


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Results that publication writes, the next one first; what is left was not asked for."""
    queue: list[dict[str, Any]] = [
        {"result": "published", "archive": "xla/abc.tar", "sha256": "f" * 64, "sentence": "x"}
    ]

    def publish(settings: Settings) -> None:
        settings.cache_publish_file.write_text(json.dumps(queue.pop(0)))

    monkeypatch.setattr(publication, "publish", publish)
    return queue


def with_store(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: content.update(store=STORE | fields)


def test_record_and_baseline_are_written_after_publication(
    settings: MakeSettings, bucket: Bucket, published: list[Any], tmp_path: Path
) -> None:
    records = Records(settings(with_store()))
    assert not records.complete()
    records.write(VERDICT)
    assert records.complete() and records.results == dict.fromkeys(("agent", "record", "baseline"), "written")
    assert json.loads(bucket[AGENT]) == AGENT_FILES and [*bucket].index(AGENT) < [*bucket].index(RECORD)
    record = json.loads(bucket[RECORD])
    assert record == {
        **content(tmp_path)["record"],
        "archive": {"name": "xla/abc.tar", "sha256": "f" * 64},
        "accepted": 17.5,
        "verdict": json.loads(VERDICT.model_dump_json()),
    }
    baseline = json.loads(bucket[BASELINE])
    assert baseline == {
        "release": "ab12cd34",
        "accepted": 17.5,
        "ladder": [json.loads(CELL.model_dump_json())],
    }
    assert published == [] and [*tmp_path.glob(".*.json")] == []


def test_what_exists_is_not_replaced(settings: MakeSettings, bucket: Bucket, published: list[Any]) -> None:
    bucket.update({AGENT: "first", RECORD: "first", BASELINE: "first"})
    records = Records(settings(with_store()))
    records.write(VERDICT)
    assert records.complete() and {*records.results.values()} == {"exists"}
    assert bucket == {AGENT: "first", RECORD: "first", BASELINE: "first"}


def test_other_files_than_the_release_names_are_not_written(
    settings: MakeSettings, bucket: Bucket, published: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The object is created once: wrong files in it would keep the release from every other stack."""
    monkeypatch.setattr(agent_files, "installed", lambda: {**AGENT_FILES, "agent/more.py": ""})
    records = Records(settings(with_store()))
    records.write(VERDICT)
    assert records.complete() and records.results["agent"] == "other" and {*bucket} == {RECORD, BASELINE}


def test_files_that_cannot_be_read_are_read_again(
    settings: MakeSettings, bucket: Bucket, published: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable() -> dict[str, str]:
        raise OSError("disk")

    records = Records(settings(with_store()))
    with monkeypatch.context() as patch:
        patch.setattr(agent_files, "installed", unreadable)
        records.write(VERDICT)
    assert not records.complete() and AGENT not in bucket
    records.write(VERDICT)
    assert records.complete() and AGENT in bucket


@pytest.mark.parametrize(
    "verdict",
    [VERDICT.model_copy(update={"baseline": BASELINE}), VERDICT.model_copy(update={"ladder": ()})],
    ids=["compared", "no ladder"],
)
def test_only_a_ladder_without_a_baseline_becomes_one(
    settings: MakeSettings, bucket: Bucket, published: list[Any], verdict: Verdict
) -> None:
    Records(settings(with_store())).write(verdict)
    assert {*bucket} == {AGENT, RECORD}


def test_without_publication_the_record_names_what_was_restored(
    settings: MakeSettings, bucket: Bucket, tmp_path: Path
) -> None:
    restored = {"result": "restored", "archive": "xla/abc.tar", "sha256": "e" * 64}
    (tmp_path / "cache-restore.json").write_text(json.dumps(restored))
    Records(settings(with_store(publish=False))).write(VERDICT)
    assert json.loads(bucket[RECORD])["archive"] == {"name": "xla/abc.tar", "sha256": "e" * 64}
    # The boot of a VM waits for this file.
    result = json.loads((tmp_path / "cache-publish.json").read_text())
    assert (result["result"], result["sentence"]) == (
        "skipped",
        "not published: this server only reads the bucket",
    )


@pytest.mark.parametrize(
    "status", [{"result": "failed", "archive": "xla/abc.tar", "sha256": None}, {"result": "none"}, None]
)
def test_a_record_without_an_archive_says_so(
    settings: MakeSettings, bucket: Bucket, tmp_path: Path, status: Any
) -> None:
    (tmp_path / "cache-restore.json").write_text(json.dumps(status))
    Records(settings(with_store(publish=False))).write(VERDICT)
    assert json.loads(bucket[RECORD])["archive"] is None


@pytest.mark.parametrize(
    "problem", [Problem("no answer"), Status(403, "Forbidden"), OSError("disk")], ids=str
)
def test_a_bucket_that_refuses_is_asked_again(
    settings: MakeSettings, bucket: Bucket, published: list[Any], problem: Exception
) -> None:
    published.insert(0, {"result": "failed", "sentence": "no answer"})
    records = Records(settings(with_store()))
    bucket.problem = problem
    records.write(VERDICT)
    assert not records.complete() and {*records.results.values()} == {"failed"}
    bucket.problem = None
    records.write(VERDICT)
    assert records.complete() and published == []
    assert json.loads(bucket[RECORD])["archive"]["sha256"] == "f" * 64


@pytest.mark.parametrize("result", ["busy", "failed"])
def test_the_record_waits_for_the_archive_that_it_names(
    settings: MakeSettings, bucket: Bucket, published: list[Any], result: str
) -> None:
    later = {"result": result, "archive": "xla/abc.tar", "sentence": "it is tried again"}
    published[:0] = [later, later]
    verdict = VERDICT.model_copy(update={"finished": time.time()})
    records = Records(settings(with_store()))
    for _ in range(2):
        records.write(verdict)
        assert not records.complete() and {*bucket} == {AGENT, BASELINE}
    records.write(verdict)
    assert records.complete() and published == []
    assert json.loads(bucket[RECORD])["archive"] == {"name": "xla/abc.tar", "sha256": "f" * 64}


def test_the_record_does_not_wait_for_ever(
    settings: MakeSettings, bucket: Bucket, published: list[Any]
) -> None:
    published.insert(0, {"result": "failed", "archive": "xla/abc.tar", "sentence": "HTTP 403"})
    verdict = VERDICT.model_copy(update={"finished": time.time() - ARCHIVE_SECONDS - 1})
    records = Records(settings(with_store()))
    records.write(verdict)
    assert records.complete() and json.loads(bucket[RECORD])["archive"] is None


def test_without_a_bucket_nothing_is_written(settings: MakeSettings, published: list[Any]) -> None:
    records = Records(settings())
    assert records.complete()
    records.write(VERDICT)
    assert records.results == {} and len(published) == 1
