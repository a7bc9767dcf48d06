"""Prune of an artifact bucket: what nothing needs any more is listed, and deleted on request."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Protocol

from releases.bucket import Object
from releases.usage import item_of
from serving.deploy import container_layout
from serving.messages.units import gib

SHORTEST_AGE = timedelta(days=1)
"""Age below which an object stays. A server writes its archive and its agent's files before the record that
names them, and the weights Job ends before a server reads its files; all of it takes hours at most."""

ORDER = (
    container_layout.RECORDS,
    container_layout.AGENTS,
    container_layout.LOAD_TESTS,
    container_layout.CACHE_ARCHIVES,
    container_layout.WEIGHTS,
)
"""Prefixes below which items may be deleted, in that order: a release whose record is there is complete."""


@dataclass(frozen=True)
class Verdict:
    """An item with its objects, and the reason for which it is kept or deleted."""

    item: str
    objects: Sequence[Object]
    keep: bool
    reason: str

    @property
    def bytes(self) -> int:
        """Size of all objects in bytes."""
        return sum(each.bytes for each in self.objects)


class Deleter(Protocol):
    """The part of a bucket that deletes."""

    @property
    def name(self) -> str:
        """Name of the bucket."""
        ...

    def delete(self, item: Object) -> bool:
        """Deletes an object, unless it was written after it was listed. Returns whether it is gone."""
        ...


def judge(objects: Sequence[Object], needed: Mapping[str, str], keep: int, now: datetime) -> list[Verdict]:
    """Returns a verdict for each item, in the order of deletion, and what is never deleted at the end.

    `needed` has a reason for each item that is used; `keep` is the number of releases that were looked at.
    """
    ordered = sorted(objects, key=lambda each: (_rank(each.name), item_of(each.name), each.name))
    verdicts: list[Verdict] = []
    for item, group in groupby(ordered, lambda each: item_of(each.name)):
        members = list(group)
        reason = _reason(item, members, needed, now)
        unused = f"no stack file, no release in releases/ and none of the last {keep} in the bucket uses it"
        verdicts.append(Verdict(item, members, reason is not None, reason or unused))
    return verdicts


def delete(unused: Sequence[Verdict], bucket: Deleter, say: Callable[[str], None]) -> None:
    """Deletes the objects of the items.

    A run that was interrupted is finished by the next. Raises Refusal as `Deleter.delete` does.
    """
    freed = 0
    for verdict in unused:
        for each in verdict.objects:
            if bucket.delete(each):
                freed += each.bytes
            else:
                say(f"gs://{bucket.name}/{each.name} was written again after it was listed, so it stays.")
        say(f"Deleted: {verdict.item}")
    say(f"{gib(freed)} are deleted from gs://{bucket.name}.")


def _reason(item: str, members: Sequence[Object], needed: Mapping[str, str], now: datetime) -> str | None:
    """Returns why an item stays; None if it need not."""
    if item.startswith(container_layout.BASELINES):
        return "a baseline is never deleted"
    if not item.startswith(ORDER):
        return "it is none of the kinds of objects that tpuserve writes"
    if item in needed:
        return needed[item]
    if now - max(map(attrgetter("created"), members)) < SHORTEST_AGE:
        return "it is younger than a day, so a server may be about to use it"
    return None


def _rank(name: str) -> int:
    return next((rank for rank, prefix in enumerate(ORDER) if name.startswith(prefix)), len(ORDER))
