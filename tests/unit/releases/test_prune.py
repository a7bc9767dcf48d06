"""Prune of the artifact bucket: a reason for each kind of object, and one sentence for each bad input."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from releases import __main__ as command
from releases import usage
from releases.bucket import Bucket, Object
from releases.prune import SHORTEST_AGE, judge
from stacks.plan import Plan
from tests import promoted
from tests.unit.releases.object_store import object_store
from tests.unit.releases.stacks import IMAGE, TARGET, Memory, planned, write

MODEL = "gemma-4-26b-a4b-it"
FIRST, OTHER, NEXT, ELSEWHERE = "0" * 40, "1a" * 20, "2b" * 20, "3c" * 20
"""Commits of weights: of most releases, of the oldest release, of a stack that has no image yet, and of a
stack with another bucket."""
UNUSED = "no stack file, no release in releases/ and none of the last 1 in the bucket uses it"


@dataclass(frozen=True)
class Filled:
    """A bucket, and the names in it that depend on the releases."""

    bucket: Memory
    folder: Path
    names: Mapping[str, str]

    def prune(self, *words: str) -> int:
        """Returns the exit code of `python -m releases prune`."""
        return command.main(["prune", "--stack", "staging", "--keep", "1", *words], self.folder)


@pytest.fixture
def filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Filled]:
    """Yields a bucket that Google's own client reads.

    The oldest release is `old`. `named` is in the repository's folder releases/, `last` is the newest, both
    of images that no stack has any more. The stack staging describes `now`, which no server has accepted.
    """
    made = Memory()
    old = accepted(tmp_path, made, "c", 1.0, model_revision=OTHER)
    named = accepted(tmp_path, made, "d", 2.0)
    promoted.write(tmp_path, named, archive={"name": "xla/named.tar", "sha256": "c" * 64})
    last = accepted(tmp_path, made, "e", 3.0)
    write(tmp_path, "staging")
    write(tmp_path, "next", model_revision=NEXT, image=None)
    write(tmp_path, "elsewhere", target={**TARGET, "project": "b-project"}, model_revision=ELSEWHERE)
    now = planned(tmp_path, "staging")
    made.objects |= {
        **{f"weights/{FIRST}/{MODEL}{end}": b"{}" for end in (".manifest.json", "/config.json", "/a/b.txt")},
        **{f"weights/{OTHER}/{MODEL}{end}": b"{}" for end in (".manifest.json", "/config.json")},
        f"weights/{FIRST}/gemma-4-e4b-it/config.json": b"{}",
        **{f"weights/{commit}/{MODEL}/config.json": b"{}" for commit in (NEXT, ELSEWHERE)},
        **{f"xla/{plan.fingerprint.digest}.tar": b"tar" for plan in (old, last, now)},
        f"xla/{now.fingerprint.digest}.baked.tar": b"tar",
        "xla/named.tar": b"tar",
        **{f"load-tests/{plan.release.name}/2026.json": b"{}" for plan in (old, named, last, now)},
        f"load-tests/{old.release.name}/2026/c1.json": b"{}",
        f"agents/{'f' * 64}.json": b"{}",
        f"baselines/v6e-4/{MODEL}.json": b"{}",
        "notes.txt": b"of a person",
    }
    plans = {"old": old, "named": named, "last": last, "now": now}
    names = {
        **{key: plan.release.name for key, plan in plans.items()},
        **{f"{key}_cache": plan.fingerprint.digest for key, plan in plans.items()},
        "agent": now.release.agent_digest,
    }
    with object_store(made.name, made.objects) as url:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
        yield Filled(made, tmp_path, names)


def accepted(folder: Path, made: Memory, digit: str, time: float, **changes: str) -> Plan:
    """Adds an accepted release, whose stack is gone."""
    file = write(folder, "gone", image=IMAGE.replace("a" * 64, digit * 64), **changes)
    plan = planned(folder, "gone")
    file.unlink()
    made.accept(plan, accepted=time, archive=None)
    return plan


STAGING = "stack staging uses it"
LAST = "release {last} uses it, one of the last 1"
NAMED = "release {named} in releases/ uses it"

ROWS: tuple[tuple[str, str], ...] = (
    ("releases/{old}.json", UNUSED),
    ("releases/{named}.json", NAMED),
    ("releases/{last}.json", LAST),
    ("agents/" + "f" * 64 + ".json", UNUSED),
    ("agents/{agent}.json", STAGING),
    ("load-tests/{old}", UNUSED),
    ("load-tests/{named}", NAMED),
    ("load-tests/{last}", LAST),
    ("load-tests/{now}", STAGING),
    ("xla/{old_cache}.tar", UNUSED),
    ("xla/named.tar", NAMED),
    ("xla/{last_cache}.tar", LAST),
    ("xla/{now_cache}.tar", STAGING),
    ("xla/{now_cache}.baked.tar", STAGING),
    (f"weights/{OTHER}/{MODEL}", UNUSED),
    (f"weights/{FIRST}/gemma-4-e4b-it", UNUSED),
    (f"weights/{ELSEWHERE}/{MODEL}", UNUSED),
    (f"weights/{FIRST}/{MODEL}", STAGING),
    (f"weights/{NEXT}/{MODEL}", "stack next uses it"),
    (f"baselines/v6e-4/{MODEL}.json", "a baseline is never deleted"),
    ("notes.txt", "it is none of the kinds of objects that tpuserve writes"),
)  # fmt: skip


def test_each_kind_of_object_is_listed_with_its_reason(
    filled: Filled, capsys: pytest.CaptureFixture[str]
) -> None:
    before = dict(filled.bucket.objects)
    assert filled.prune() == 0 and filled.bucket.objects == before
    shown = capsys.readouterr()
    rows = {row[0]: row for row in (line.split(maxsplit=5) for line in shown.out.splitlines()[1:])}
    wanted = {item.format(**filled.names): reason.format(**filled.names) for item, reason in ROWS}
    assert {item: row[5] for item, row in rows.items()} == wanted
    assert {item for item, row in rows.items() if row[4] == "delete"} == {
        item for item, reason in wanted.items() if reason == UNUSED
    }
    assert rows[f"weights/{FIRST}/{MODEL}"][1:4] == ["3", "0.0", "MiB"]
    assert shown.err == (
        "7 of 21 items (0.0 MiB) are not needed; nothing was deleted. To delete them: make prune "
        "STACK=staging ARGS='--delete --keep 1'\n"
    )


def kept(filled: Filled) -> set[str]:
    """Returns the items that stay."""
    return {item.format(**filled.names) for item, reason in ROWS if reason != UNUSED}


def items(filled: Filled) -> set[str]:
    return {usage.item_of(name) for name in filled.bucket.objects}


def test_an_interrupted_run_is_finished_by_the_next(
    filled: Filled, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    delete, calls = Bucket.delete, list[str]()

    def interrupted(bucket: Bucket, item: Object) -> bool:
        calls.append(item.name)
        if len(calls) % 4 == 0:
            raise KeyboardInterrupt
        return delete(bucket, item)

    monkeypatch.setattr(Bucket, "delete", interrupted)
    codes = [filled.prune("--delete") for _ in range(3)]
    assert codes == [130, 130, 0] and items(filled) == kept(filled)
    assert calls[0] == "releases/{old}.json".format(**filled.names)
    assert "are deleted from gs://a-project-tpuserve.\n" in capsys.readouterr().err
    # What is left is needed.
    left = dict(filled.bucket.objects)
    assert filled.prune("--delete") == 0 and filled.bucket.objects == left


def test_an_object_that_a_server_writes_meanwhile_stays(
    filled: Filled, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name, listing = "xla/{old_cache}.tar".format(**filled.names), Bucket.objects

    def slow(bucket: Bucket) -> list[Object]:
        found = listing(bucket)
        filled.bucket.objects[name] = b"published"
        return found

    monkeypatch.setattr(Bucket, "objects", slow)
    assert filled.prune("--delete") == 0 and items(filled) == kept(filled) | {name}
    assert (
        f"gs://a-project-tpuserve/{name} was written again after it was listed, so it stays.\n"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(("age", "keep"), [(SHORTEST_AGE / 2, True), (SHORTEST_AGE, False)])
def test_what_a_starting_server_may_need_stays(age: timedelta, keep: bool) -> None:
    now = datetime(2026, 11, 29, tzinfo=UTC)
    old = Object("weights/0/m/a", 1, 1, now - timedelta(days=9))
    young = Object("weights/0/m/b", 1, 1, now - age)
    (verdict,) = judge([young, old], {}, 1, now)
    assert verdict.keep == keep and verdict.objects == [old, young] and verdict.bytes == 2
    assert not keep or verdict.reason == "it is younger than a day, so a server may be about to use it"


def test_more_releases_are_kept_of_each_slice_and_model(filled: Filled) -> None:
    one, all_ = (usage.needed(filled.bucket, filled.folder, keep) for keep in (1, usage.KEEP))
    assert all_.keys() - one.keys() == {
        item.format(**filled.names) for item, reason in ROWS if reason == UNUSED and "{old" in item
    } | {f"weights/{OTHER}/{MODEL}", "xla/{old_cache}.baked.tar".format(**filled.names)}
    write(filled.folder, "gone", model="gemma-4-e4b-it", phase="baseline")
    filled.bucket.accept(planned(filled.folder, "gone"), accepted=0.5, archive=None)
    (filled.folder / "Pulumi.gone.yaml").unlink()
    assert f"weights/{FIRST}/gemma-4-e4b-it" in usage.needed(filled.bucket, filled.folder, 1)


def bad_record(filled: Filled) -> None:
    filled.bucket.objects["releases/bad.json"] = b"{"


def bad_promotion(filled: Filled) -> None:
    (filled.folder / "releases" / "bad.json").write_text("{}")


def bad_stack(filled: Filled) -> None:
    write(filled.folder, "prod", phase="tunde")


def nothing(filled: Filled) -> None:
    """Changes nothing."""


BAD: tuple[tuple[Callable[[Filled], None], tuple[str, ...], int, str], ...] = (
    (
        nothing,
        ("--keep", "0"),
        2,
        "--keep is 0, which would keep no release for a rollback: set it to 1 or more.",
    ),
    (
        nothing,
        ("--stack", "own"),
        1,
        "A cluster of your own (target.kubeconfig) has no bucket, so no release of it is recorded: name "
        "another stack.",
    ),
    (
        nothing,
        ("--stack", "prd"),
        2,
        "stack 'prd' has no file Pulumi.prd.yaml: there are elsewhere, next, own, staging; choose one of "
        "them.",
    ),
    (
        bad_record,
        (),
        1,
        "Nothing can be pruned while gs://a-project-tpuserve/releases/bad.json cannot be read as the record "
        "of a release, because what that release uses is unknown: update this checkout, or delete it with "
        "`gcloud storage rm gs://a-project-tpuserve/releases/bad.json` and run the same command again.",
    ),
    (
        bad_promotion,
        (),
        1,
        "Nothing can be pruned while releases/bad.json cannot be read as the record of a release, because "
        "what that release uses is unknown: update this checkout, or delete the file and run the same "
        "command again.",
    ),
    (
        bad_stack,
        (),
        1,
        "Nothing can be pruned while Pulumi.prod.yaml has a mistake, because what its stack uses is unknown: "
        "fix it (phase 'tunde' does not exist: there are baseline, peak, turbo-stable, tuned; set phase to "
        "tuned), or delete the file of a stack that is destroyed.",
    ),
)


@pytest.mark.parametrize(("prepare", "words", "code", "sentence"), BAD)
def test_a_mistake_is_one_sentence_and_deletes_nothing(
    prepare: Callable[[Filled], None],
    words: tuple[str, ...],
    code: int,
    sentence: str,
    filled: Filled,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(filled.folder, "own", target={"kind": "local", "kubeconfig": "/a"}, model_revision=None)
    prepare(filled)
    before = dict(filled.bucket.objects)
    assert filled.prune("--delete", *words) == code and filled.bucket.objects == before
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", f"{sentence}\n")
