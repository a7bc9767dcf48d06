"""Results in a bucket: created once, found by their prefix, and read back."""

from itertools import islice

from agent.load_test import storage
from agent.load_test.run import events
from tests.unit.agent.bucket import STORE, Bucket
from tests.unit.agent.load_test.test_run import CELLS, PLAN, Meter


def test_an_object_is_created_once(bucket: Bucket) -> None:
    store = storage.Bucket(STORE.bucket)
    assert store.read("load-tests/a.json") is None
    store.create("load-tests/a.json", {"cell": 1})
    store.create("load-tests/a.json", {"cell": 2})
    store.create("other/b.json", {})
    assert store.read("load-tests/a.json") == {"cell": 1}
    assert list(store.names("load-tests/")) == ["load-tests/a.json"]


def test_a_killed_run_is_continued_from_the_bucket(bucket: Bucket) -> None:
    list(islice(events(PLAN, storage.Bucket(STORE.bucket), Meter()), 4))
    meter = Meter()
    found = list(events(PLAN, storage.Bucket(STORE.bucket), meter))
    assert meter.cells == [cell.concurrency for cell in CELLS[1:]]
    document = storage.Bucket(STORE.bucket).read(found[-1]["object"])
    assert [result["cell"] for result in document["results"]] == [cell.name for cell in CELLS]
