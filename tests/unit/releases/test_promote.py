"""Promotion and rollback: what is written, what is refused, and what a second run does."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config import stack_file
from releases.promote import promote, roll_back, stack
from stacks.plan import Plan
from tests.unit.releases.stacks import NOTE, Memory, planned, write
from tools.support.errors import Refusal


@pytest.fixture
def bucket(tmp_path: Path) -> Memory:
    """Returns the bucket, after staging and prod were written and staging's release was accepted."""
    write(tmp_path, "staging")
    write(tmp_path, "prod", replicas=2)
    made = Memory()
    made.accept(planned(tmp_path, "staging"))
    return made


def run(folder: Path, bucket: Memory, name: str | None = None) -> None:
    promote(stack("staging", folder), stack("prod", folder), name, bucket)


def snapshot(folder: Path) -> dict[str, str]:
    files = [file for file in folder.rglob("*") if file.is_file() and ".git" not in file.parts]
    return {str(file.relative_to(folder)): file.read_text() for file in files}


def test_a_promotion_writes_the_release_into_three_files(tmp_path: Path, bucket: Memory) -> None:
    accepted = planned(tmp_path, "staging")
    run(tmp_path, bucket)
    name, digest = accepted.release.name, accepted.release.agent_digest
    text = (tmp_path / "Pulumi.prod.yaml").read_text()
    assert text.startswith(NOTE) and f'  tpuserve:release: "{name}"\n' in text
    assert "tpuserve:phase" not in text and "tpuserve:replicas: 2" in text
    record = (tmp_path / "releases" / f"{name}.json").read_text()
    assert (
        json.loads(record) == json.loads(bucket.objects[f"releases/{name}.json"]) and record.count("\n") > 20
    )
    agent = json.loads((tmp_path / "releases" / "agents" / f"{digest}.json").read_text())
    assert agent == dict(accepted.agent_files)
    prod = planned(tmp_path, "prod")
    assert prod.release == accepted.release and prod.accepted


def test_a_second_run_changes_nothing(tmp_path: Path, bucket: Memory) -> None:
    run(tmp_path, bucket)
    before = snapshot(tmp_path)
    run(tmp_path, bucket)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("written", range(3))
def test_a_run_that_died_is_finished_by_the_next(
    written: int, tmp_path: Path, bucket: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    from releases import promote as module

    real, calls = module.replace, [0]

    def dying(file: Path, content: str | bytes) -> None:
        if calls[0] == written:
            raise KeyboardInterrupt
        calls[0] += 1
        real(file, content)

    monkeypatch.setattr(module, "replace", dying)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, bucket)
    assert stack_file.read("prod", tmp_path).release is None
    monkeypatch.setattr(module, "replace", real)
    run(tmp_path, bucket)
    assert planned(tmp_path, "prod").accepted


def test_the_release_of_a_promoted_source_is_promoted_on(tmp_path: Path, bucket: Memory) -> None:
    run(tmp_path, bucket)
    write(tmp_path, "prod-eu")
    promote(stack("prod", tmp_path), stack("prod-eu", tmp_path), None, bucket)
    assert planned(tmp_path, "prod-eu").release == planned(tmp_path, "prod").release


def test_a_stack_that_accepted_its_own_first_release_names_it(tmp_path: Path, bucket: Memory) -> None:
    """The first environment has nothing to be promoted from."""
    promote(stack("prod", tmp_path), stack("prod", tmp_path), None, bucket)
    assert planned(tmp_path, "prod").accepted


def test_a_release_that_is_named_may_be_older_than_the_source(tmp_path: Path, bucket: Memory) -> None:
    accepted = planned(tmp_path, "staging").release
    write(tmp_path, "staging", phase="peak")
    run(tmp_path, bucket, accepted.name)
    assert planned(tmp_path, "prod").release == accepted


def rejected(folder: Path, bucket: Memory) -> None:
    bucket.accept(planned(folder, "staging"), verdict={"state": "rejected", "sentence": "chat failed."})


def other_slice(folder: Path, bucket: Memory) -> None:
    write(folder, "prod", accelerator="v6e-8", engine={"tensor_parallel_size": 8})


def changed(folder: Path, bucket: Memory) -> None:
    bucket.accept(planned(folder, "staging"), image="evil")


def cut(folder: Path, bucket: Memory) -> None:
    name = f"releases/{planned(folder, 'staging').release.name}.json"
    bucket.objects[name] = bucket.objects[name][:100]


def copied(folder: Path, bucket: Memory) -> None:
    name = f"releases/{planned(folder, 'staging').release.name}.json"
    write(folder, "staging", engine={"max_num_seqs": 32})
    bucket.accept(planned(folder, "staging"))
    other = f"releases/{planned(folder, 'staging').release.name}.json"
    bucket.objects[other] = bucket.objects[name]


def without_agent(folder: Path, bucket: Memory) -> None:
    del bucket.objects[f"agents/{planned(folder, 'staging').release.agent_digest}.json"]


def forged_agent(folder: Path, bucket: Memory) -> None:
    name = f"agents/{planned(folder, 'staging').release.agent_digest}.json"
    bucket.objects[name] = json.dumps({"agent/server/guard.py": "evil"}).encode()


def damaged_agent(folder: Path, bucket: Memory) -> None:
    bucket.objects[f"agents/{planned(folder, 'staging').release.agent_digest}.json"] = b"{"


def not_run(folder: Path, bucket: Memory) -> None:
    write(folder, "staging", engine={"max_num_seqs": 32})


def nothing_accepted(folder: Path, bucket: Memory) -> None:
    bucket.objects.clear()


AGENT = "so release {name} cannot run anywhere else: deploy it again, or name another release."
NO_RECORD = (
    "Pulumi.staging.yaml describes release {name}, which has no record in gs://a-project-tpuserve, because "
    "no server has accepted it: deploy it with `pulumi up -s staging`"
)
REFUSED: tuple[tuple[Callable[[Path, Memory], None], str], ...] = (
    (rejected, "Release {name} was not accepted (chat failed.): name an accepted one with RELEASE=…"),
    (
        other_slice,
        "Release {name} was accepted on v6e-4, and prod has v6e-8, on which it may behave otherwise: name a "
        "release that was accepted on v6e-8.",
    ),
    (
        changed,
        "it was changed after it was written; take it from the artifact bucket or from git again, or name",
    ),
    (
        cut,
        "gs://a-project-tpuserve/releases/{name}.json is not JSON; take it from the artifact bucket or from",
    ),
    (copied, "gs://a-project-tpuserve/releases/{name}.json is the record of release "),
    (without_agent, "There is no object gs://a-project-tpuserve/agents/{digest}.json, " + AGENT),
    (
        forged_agent,
        "gs://a-project-tpuserve/agents/{digest}.json does not hold the agent's files that its name says, "
        + AGENT,
    ),
    (
        damaged_agent,
        "gs://a-project-tpuserve/agents/{digest}.json does not hold the agent's files that its name says, "
        + AGENT,
    ),
    (
        not_run,
        NO_RECORD + ", or name the newest accepted one with RELEASE=",
    ),
    (
        nothing_accepted,
        NO_RECORD + ".",
    ),
)


@pytest.mark.parametrize(("prepare", "sentence"), REFUSED)
def test_what_cannot_be_promoted_is_refused_and_nothing_is_written(
    prepare: Callable[[Path, Memory], None], sentence: str, tmp_path: Path, bucket: Memory
) -> None:
    prepare(tmp_path, bucket)
    release, before = planned(tmp_path, "staging").release, snapshot(tmp_path)
    with pytest.raises(Refusal) as caught:
        run(tmp_path, bucket)
    assert sentence.format(name=release.name, digest=release.agent_digest) in str(caught.value)
    assert "\n" not in str(caught.value) and snapshot(tmp_path) == before


def test_a_name_without_a_record_is_refused(tmp_path: Path, bucket: Memory) -> None:
    with pytest.raises(
        Refusal, match="Release 00000000 has no record in gs://a-project-tpuserve, because no"
    ):
        run(tmp_path, bucket, "00000000")


def test_what_could_not_work_on_the_target_is_refused(tmp_path: Path, bucket: Memory) -> None:
    """A collector of traces is in a cluster, which a TPU VM does not reach."""
    write(tmp_path, "staging", engine={"otlp_traces_endpoint": "http://collector.traces.svc:4317"})
    bucket.accept(planned(tmp_path, "staging"))
    target = {
        **{"kind": "tpu-vm", "project": "a-project", "zone": "us-east5-b"},
        "capacity": {"kind": "spot"},
    }
    write(tmp_path, "prod", target=target)
    before = snapshot(tmp_path)
    with pytest.raises(ValueError, match="otlp_traces_endpoint is a Service of a cluster"):
        run(tmp_path, bucket)
    assert snapshot(tmp_path) == before


def test_a_release_without_a_compile_cache_is_said(
    tmp_path: Path, bucket: Memory, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, bucket)
    assert "compile cache" not in capsys.readouterr().err
    bucket.accept(planned(tmp_path, "staging"), archive=None)
    run(tmp_path, bucket)
    assert "Its record names no compile cache" in capsys.readouterr().err


def test_a_foundation_is_no_target(tmp_path: Path) -> None:
    target = {
        "kind": "foundation",
        "project": "a-project",
        "region": "us-east5",
        "environments": {"a": "10.0.0.0/18"},
    }
    write(tmp_path, "f", target=target)
    with pytest.raises(
        ValueError, match="stack 'f' is a foundation and serves nothing; name a stack with an engine"
    ):
        stack("f", tmp_path)


def test_lost_files_of_the_present_release_are_repaired(tmp_path: Path, bucket: Memory) -> None:
    run(tmp_path, bucket)
    name = planned(tmp_path, "prod").release.name
    (tmp_path / "releases" / f"{name}.json").write_text("damaged")
    run(tmp_path, bucket)
    assert planned(tmp_path, "prod").release.name == name


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def releases(tmp_path: Path, bucket: Memory) -> list[Plan]:
    """Returns three releases that prod ran one after another, each committed."""
    git(tmp_path, "init", "-q")
    found: list[Plan] = []
    for sequences in (64, 32, 16):
        write(tmp_path, "staging", engine={"max_num_seqs": sequences})
        found.append(planned(tmp_path, "staging"))
        bucket.accept(found[-1])
        git(tmp_path, "add", "-A")
        git(tmp_path, "commit", "-q", "-m", "before")
        run(tmp_path, bucket)
        git(tmp_path, "add", "-A")
        git(tmp_path, "commit", "-q", "-m", f"promote {found[-1].release.name}")
    return found


def back(folder: Path, name: str | None = None, bucket: Memory | None = None) -> str | None:
    def needed() -> Memory:
        assert bucket is not None, "the bucket was read"
        return bucket

    roll_back(stack("prod", folder), name, needed)
    return stack_file.read("prod", folder).release


def test_a_rollback_needs_no_network_and_takes_the_release_before(
    tmp_path: Path, releases: list[Plan]
) -> None:
    first, second, third = (each.release for each in releases)
    assert planned(tmp_path, "prod").release == third
    assert back(tmp_path) == second.name and planned(tmp_path, "prod").release == second
    git(tmp_path, "commit", "-q", "-a", "-m", "roll back")
    # As `kubectl rollout undo`: the release before this one is the one that was left.
    assert back(tmp_path) == third.name
    assert back(tmp_path, first.name) == first.name


def test_a_promotion_that_is_not_committed_is_taken_back(
    tmp_path: Path, releases: list[Plan], bucket: Memory
) -> None:
    run(tmp_path, bucket, releases[0].release.name)
    assert back(tmp_path) == releases[2].release.name


def test_lost_files_of_the_release_before_come_from_the_bucket(
    tmp_path: Path, releases: list[Plan], bucket: Memory
) -> None:
    before = releases[1].release
    (tmp_path / "releases" / f"{before.name}.json").unlink()
    assert back(tmp_path, bucket=bucket) == before.name
    assert planned(tmp_path, "prod").release == before


def no_release(folder: Path) -> None:
    write(folder, "prod")


def first_release(folder: Path) -> None:
    git(folder, "checkout", "-q", "HEAD~4")


def no_git(folder: Path) -> None:
    (folder / ".git").rename(folder / "gone")


NO_WAY_BACK: tuple[tuple[Callable[[Path], None], str], ...] = (
    (
        no_release,
        "Pulumi.prod.yaml names no release, so there is none to go back to: go back with git, or name one "
        "with RELEASE=…",
    ),
    (
        first_release,
        "git knows of no release in Pulumi.prod.yaml before {first}: fetch the whole history (`git fetch "
        "--unshallow`), go back with git, or name a release with RELEASE=…",
    ),
    (no_git, "The release before this one is read from git's history of Pulumi.prod.yaml, and that failed ("),
)


@pytest.mark.parametrize(("prepare", "sentence"), NO_WAY_BACK)
def test_without_a_release_before_the_way_back_is_said(
    prepare: Callable[[Path], None], sentence: str, tmp_path: Path, releases: list[Plan], monkeypatch: Any
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    prepare(tmp_path)
    with pytest.raises(Refusal) as caught:
        back(tmp_path)
    assert sentence.format(first=releases[0].release.name) in str(caught.value)
    assert "\n" not in str(caught.value)
