"""Items of an artifact bucket that are still needed: by stacks of the repository, or by releases.

An item is what is kept or deleted together: one model's weights of one commit, the load tests of a release,
or any other single object. Its name is the path of the object or folder, without a final slash.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from config import promotion, stack_file
from config.settings import Settings
from releases.bucket import bucket_of
from releases.promote import image_of
from releases.store import Objects
from serving.deploy import container_layout, record
from serving.deploy.record import Record
from stacks.plan import plan
from tools.support.errors import Refusal

KEEP = 10
"""Releases of each slice and model that stay. Five of the delivered stacks share a slice, a model and a
bucket, and each needs its present release and the one before."""

ARCHIVE_SUFFIXES = (".tar", ".baked.tar")
"""Ends of the names of a fingerprint's archives (container_layout.CACHE_ARCHIVES)."""


@dataclass(frozen=True, kw_only=True)
class _Server:
    """Values of a server from which the names of its items follow."""

    release: str
    model: str
    revision: str | None
    agent: str
    fingerprint: str
    archive: str | None

    @property
    def items(self) -> Iterator[str]:
        yield f"{container_layout.RECORDS}{self.release}.json"
        yield f"{container_layout.AGENTS}{self.agent}.json"
        yield f"{container_layout.LOAD_TESTS}{self.release}"
        for suffix in ARCHIVE_SUFFIXES:
            yield f"{container_layout.CACHE_ARCHIVES}{self.fingerprint}{suffix}"
        if self.archive is not None:
            yield self.archive
        yield weights_item(self.model, self.revision)


def weights_item(model: str, revision: str | None) -> str:
    """Returns the item of one model's weights."""
    return f"{container_layout.WEIGHTS}{revision}/{model}"


def item_of(name: str) -> str:
    """Returns the item to which an object belongs."""
    parts = name.split("/")
    if name.startswith(container_layout.WEIGHTS) and len(parts) > 2:
        # The list of a copy's files is beside its folder (agent/weights_job/manifest.py).
        return "/".join([*parts[:2], parts[2].removesuffix(".manifest.json")])
    if name.startswith(container_layout.LOAD_TESTS):
        return "/".join(parts[:2])
    return name


def needed(bucket: Objects, folder: Path, keep: int) -> Mapping[str, str]:
    """Returns the reason for which each needed item stays.

    Items stay that a stack file or a promoted release in `folder` names, or one of the last `keep` accepted
    releases of a slice and a model in the bucket. Raises Refusal when a stack file or a record cannot be
    read, because what it uses is then unknown.
    """
    reasons: dict[str, str] = {}
    for file in sorted(folder.glob("Pulumi.*.yaml")):
        stack = file.name.split(".")[1]
        for item in _items_of_stack(stack, folder, bucket.name):
            reasons.setdefault(item, f"stack {stack} uses it")
    for promoted in _promoted(folder):
        for item in _server(promoted).items:
            reasons.setdefault(item, f"release {promoted.release} in {promotion.FOLDER}/ uses it")
    for read in _last(_records(bucket), keep):
        for item in _server(read).items:
            reasons.setdefault(item, f"release {read.release} uses it, one of the last {keep}")
    return reasons


def _items_of_stack(stack: str, folder: Path, bucket: str) -> Iterator[str]:
    """Yields the items of a stack; none for one with another bucket, or without any."""
    try:
        settings = stack_file.read(stack, folder)
        if not _has(settings, bucket):
            return
        image = image_of(settings)
        if image is None:
            # It cannot be deployed, so no release of it exists.
            yield weights_item(settings.model_spec.name, settings.model_spec.revision)
            return
        planned = plan(settings, image)
    except ValueError as reasons:
        raise Refusal(
            f"Nothing can be pruned while Pulumi.{stack}.yaml has a mistake, because what its stack uses is "
            f"unknown: fix it ({'; '.join(str(reasons).rstrip('.').splitlines())}), or delete the file of a "
            "stack that is destroyed."
        ) from None
    yield from _Server(
        release=planned.release.name,
        model=planned.candidate.model.name,
        revision=planned.candidate.model.revision,
        agent=planned.release.agent_digest,
        fingerprint=planned.fingerprint.digest,
        archive=planned.archive.name if planned.archive else None,
    ).items


def _has(settings: Settings, bucket: str) -> bool:
    """Returns whether a stack uses the bucket. A foundation and a cluster of the user's own use none."""
    try:
        return bucket_of(settings).name == bucket
    except Refusal:
        return False


def _promoted(folder: Path) -> Iterator[Record]:
    for file in sorted((folder / promotion.FOLDER).glob("*.json")):
        yield _parsed(file.read_bytes(), f"{promotion.FOLDER}/{file.name}", "delete the file")


def _records(bucket: Objects) -> Iterator[Record]:
    for name in bucket.names(container_layout.RECORDS):
        text = bucket.read(name)
        if text is not None:
            where = f"gs://{bucket.name}/{name}"
            yield _parsed(text, where, f"delete it with `gcloud storage rm {where}`")


def _parsed(text: bytes, where: str, advice: str) -> Record:
    try:
        return record.parse(text, where)
    except ValueError:
        raise Refusal(
            f"Nothing can be pruned while {where} cannot be read as the record of a release, because what "
            f"that release uses is unknown: update this checkout, or {advice} and run the same command again."
        ) from None


def _last(records: Iterator[Record], keep: int) -> Iterator[Record]:
    """Yields the last `keep` accepted releases of each slice and model."""

    def kind(read: Record) -> tuple[str, str]:
        return read.accelerator, read.model

    for _, same in groupby(sorted(filter(lambda read: read.is_accepted, records), key=kind), kind):
        yield from sorted(same, key=lambda read: read.accepted or 0, reverse=True)[:keep]


def _server(read: Record) -> _Server:
    return _Server(
        release=read.release,
        model=read.model,
        revision=read.revision,
        agent=read.agent,
        fingerprint=read.fingerprint,
        archive=read.archive.name if read.archive else None,
    )
