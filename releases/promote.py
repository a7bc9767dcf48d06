"""Promotion: a release that one stack accepted becomes what another stack runs; and the way back."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from config import promotion, stack_file, stack_text
from config.checks import problems, refuse
from config.settings import Settings
from config.targets import FoundationTarget, LocalTarget
from local import interface
from releases import history, store
from releases.stack_file import KEY, replace, with_release
from releases.store import Objects, Stored
from stacks.plan import plan
from tools.support.errors import Refusal
from tools.support.progress import say


@dataclass(frozen=True)
class Stack:
    """A stack that serves, by its file in `folder`."""

    name: str
    folder: Path
    settings: Settings
    """Settings without the release, when the files of that are not good: a promotion repairs them."""
    release: str | None
    """Name of the release in the stack's file."""
    slice: str | None
    """Its accelerator; None when only a release whose files are not good knows it."""

    @property
    def file(self) -> Path:
        """The stack's file."""
        return self.folder / f"Pulumi.{self.name}.yaml"

    @property
    def described(self) -> str:
        """Name of the release that the stack's file and today's phases and agent describe.

        Raises ValueError for a stack without an image.
        """
        if self.release is not None:
            return self.release
        image = image_of(self.settings)
        if image is None:
            raise ValueError(
                "image is not set, so the stack describes no release; set it, or name one with RELEASE=…"
            )
        return plan(self.settings, image).release.name


def stack(name: str, folder: Path) -> Stack:
    """Returns a stack that serves. Raises ValueError, one sentence a line, for any other."""
    try:
        settings = stack_file.read(name, folder)
        release, slice_ = settings.release, settings.accelerator
    except ValueError:
        file = folder / f"Pulumi.{name}.yaml"
        values = dict(stack_text.configuration(file)) if file.is_file() else {}
        if (named := values.pop(KEY, None)) is None:
            raise
        settings = stack_file.parse(values, (), folder)
        release, slice_ = str(named), None
    if isinstance(settings.target, FoundationTarget):
        raise ValueError(f"stack {name!r} is a foundation and serves nothing; name a stack with an engine.")
    return Stack(name, folder, settings, release, slice_)


def promote(source: Stack, target: Stack, name: str | None, bucket: Objects) -> None:
    """Writes the files of an accepted release and the target's stack file, so that the target runs it.

    The release is `name`, or what the source's file describes. Raises Refusal for a release that was not
    accepted on the target's slice or whose objects are damaged, and ValueError for one that could not work on
    the target.
    """
    chosen = name or source.described
    found = store.find(bucket, chosen)
    if found is None:
        raise Refusal(_not_accepted(source, chosen, name is not None, bucket))
    read, text = found
    if not read.is_accepted:
        sentence = read.verdict.sentence if read.verdict else "It has no verdict."
        raise Refusal(f"Release {chosen} was not accepted ({sentence}): name an accepted one with RELEASE=…")
    _same_slice(target, chosen, read.accelerator)
    stored = store.fetch(bucket, read, text)
    _write(target, stored)
    say(f"Release {chosen} of {source.name} is in {target.file.name}; commit this file and releases/.")
    if read.archive is None:
        say(
            f"Its record names no compile cache, because its server neither published nor restored one, so "
            f"{target.name} compiles at each cold boot: to avoid that, have {source.name} accept another."
        )


def roll_back(target: Stack, name: str | None, bucket: Callable[[], Objects]) -> None:
    """Writes the release that the target ran before, or `name`, into its stack file.

    Needs the network only for a release that is not in the repository. Raises Refusal and ValueError as
    `promote` does, and Refusal when git knows of no earlier release.
    """
    current = target.release
    if current is None and name is None:
        raise Refusal(
            f"{target.file.name} names no release, so there is none to go back to: go back with git, or name "
            "one with RELEASE=…"
        )
    chosen = name or history.before(target.file, current or "")
    known = store.in_repository(chosen, target.folder)
    if known is None:
        promote(target, target, chosen, bucket())
        return
    _same_slice(target, chosen, known.accelerator)
    _put(target, chosen)
    say(f"{target.name} goes back to release {chosen}; commit {target.file.name}.")


def image_of(settings: Settings) -> str | None:
    """Returns the image of a stack, which on the local cluster is `make up`'s; None if it has none."""
    if settings.image_name is None and isinstance(settings.target, LocalTarget):
        return interface.image_reference()
    return settings.image_name


def _not_accepted(source: Stack, chosen: str, named: bool, bucket: Objects) -> str:
    """Returns the sentence about a release without a record, with the newest one that could be promoted."""
    usable = [each for each in store.accepted(bucket, say) if each.accelerator == source.slice]
    other = f", or name the newest accepted one with RELEASE={usable[0].release}" if usable else ""
    subject = f"Release {chosen}" if named else f"{source.file.name} describes release {chosen}, which"
    return (
        f"{subject} has no record in gs://{bucket.name}, because no server has accepted it: deploy it with "
        f"`pulumi up -s {source.name}`{other}."
    )


def _same_slice(target: Stack, chosen: str, accelerator: str) -> None:
    wanted = target.slice
    if wanted is not None and accelerator != wanted:
        raise Refusal(
            f"Release {chosen} was accepted on {accelerator}, and {target.name} has {wanted}, on which it "
            f"may behave otherwise: name a release that was accepted on {wanted}."
        )


def _write(target: Stack, stored: Stored) -> None:
    """Writes the release's two files, and then the stack file, which names them; none if that is refused."""
    read = stored.record
    texts = {
        promotion.agent_file(read.agent, target.folder): stored.agent,
        promotion.record_file(read.release, target.folder): stored.text,
    }
    created = [file for file in texts if not file.exists()]
    for file, text in texts.items():
        replace(file, _readable(text))
    try:
        _put(target, read.release)
    except (ValueError, Refusal):
        # A file in releases/ would keep its release from being pruned.
        for file in created:
            file.unlink()
        raise


def _put(target: Stack, release: str) -> None:
    """Names the release in the target's stack file, after every check that `pulumi preview` makes of it."""
    edited = with_release(target.file.read_text("utf-8"), release, target.file.name)
    values = stack_text.configuration_of(edited, target.file.name)
    refuse(problems(stack_file.parse(values, (), target.folder), placeholders=True))
    replace(target.file, edited)


def _readable(text: bytes) -> str:
    return json.dumps(json.loads(text), indent=1, ensure_ascii=False) + "\n"
