"""Publication of a warm server's compile cache: once, complete, and never the cause of an outage."""

import dataclasses
import shutil
import time
from pathlib import Path

from agent.compile_cache import archive as archives
from agent.compile_cache import entries, trial
from agent.compile_cache import folder as folders
from agent.compile_cache.records import Published, Store
from agent.store import gcp_api, gcs
from agent.store.gcp_api import Problem, Status

ROOM = 2
"""Free space that an upload needs, in multiples of the folder's size: the archive is about as large as the
folder, and the server still writes."""


def publish(store: Store, folder: Path) -> Published:
    """Uploads `folder` as the store's archive unless that exists, and returns what it did.

    Call it on a warm server. The object appears whole or not at all, and is never replaced: of two machines,
    the second gets an error. The folder has only programs that this release compiled here, or that its
    restore has checked.
    """
    began = time.monotonic()
    archive = folder.with_name(".publish")
    try:
        published = _publish(store, folder, archive)
    except Status as error:
        published = _refused(error, store)
    except (Problem, OSError) as error:
        published = Published("failed", f"not published ({error})", store.archive)
    finally:
        archive.unlink(missing_ok=True)
    return dataclasses.replace(published, seconds=round(time.monotonic() - began, 1))


def _publish(store: Store, folder: Path, archive: Path) -> Published:
    name = store.archive
    if reason := _unfit(store, folder):
        return Published("skipped", reason, name)
    if item := gcs.find(store.bucket, name):
        source = folders.source(folder)
        same = source is not None and (source.archive, source.md5) == (name, item.md5)
        digest = source.sha256 if source is not None and same else None
        return Published("before", "published before", name, digest, bytes=item.size)
    before = entries.snapshot(folder)
    if not before:
        return Published("skipped", "nothing to publish: the server keeps no compile cache", name)
    # A full disk would also fail the server.
    if sum(size for size, _ in before.values()) * ROOM > shutil.disk_usage(folder).free:
        return Published("failed", "not published: the disk has no room for the archive", name)
    archives.pack(archive, list(before), archives.fingerprint(name))
    if entries.snapshot(folder) != before or not all(map(entries.whole, before)):
        return Published("busy", "not published: the server was compiling; it is tried again", name)
    digest, size = archives.sha256(archive), archive.stat().st_size
    md5 = gcs.create(store.bucket, name, archive)
    programs = [file.name.removesuffix(entries.SUFFIX) for file in before]
    folders.note_source(folder, folders.Source(name, md5, digest, programs))
    said = f"published, {len(programs)} programs, {size / 1e9:.2f} GB"
    return Published("published", said, name, digest, len(programs), size)


def _unfit(store: Store, folder: Path) -> str | None:
    if not store.publish:
        return "not published: this server only reads the bucket"
    if folders.owner(folder) != store.archive:
        return "not published: the cache is of another release"
    return trial.unfit(folder)


def _refused(error: Status, store: Store) -> Published:
    if error.exists:
        return Published("before", "published meanwhile by another machine", store.archive)
    cure = ""
    if error.code in (401, 403):
        cure = (
            f": grant {gcp_api.account()} roles/storage.objectCreator on gs://{store.bucket} below "
            f"{Path(store.archive).parent}/"
        )
    return Published("failed", f"not published ({error}){cure}", store.archive)
