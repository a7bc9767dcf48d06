"""The artifact bucket: read and pruned with the user's own credentials, or in the local object store."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import google.auth.exceptions
import requests
from google.api_core import exceptions
from google.api_core.retry import Retry
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from google.cloud.storage.retry import DEFAULT_RETRY

from config.settings import Settings
from config.targets import GkeTarget, LocalTarget, TpuVmTarget, artifact_bucket
from local import interface
from tools.support.errors import Refusal

RETRY: Retry = DEFAULT_RETRY.with_timeout(20)
"""Retries of one request, for 20 s in total."""

TIMEOUT_SECONDS = 10
"""Seconds to wait for one answer."""


@dataclass(frozen=True)
class Object:
    """The live version of one object."""

    name: str
    bytes: int
    generation: int
    """Number of the version; every write of the object gets a new one."""
    created: datetime
    """Time of the write, with a time zone."""


@dataclass(frozen=True)
class Bucket:
    """A bucket by its name. `url` is the object store's; None for Cloud Storage, or STORAGE_EMULATOR_HOST."""

    name: str
    url: str | None = None

    def read(self, name: str) -> bytes | None:
        """Returns the content of an object; None if there is none. Raises Refusal when nobody can tell."""
        with self._explained():
            blob = self._client.bucket(self.name).blob(name)
            try:
                return blob.download_as_bytes(retry=RETRY, timeout=TIMEOUT_SECONDS)
            except exceptions.NotFound:
                # NotFound again where there is no bucket. To look up the bucket itself needs another role.
                self.names(name)
                return None

    def names(self, prefix: str) -> list[str]:
        """Returns the names of the objects that begin with `prefix`, in order. Raises Refusal as `read`."""
        with self._explained():
            found = self._client.list_blobs(self.name, prefix=prefix, retry=RETRY, timeout=TIMEOUT_SECONDS)
            return sorted(str(blob.name) for blob in found)

    def objects(self) -> list[Object]:
        """Returns all live objects, in the order of their names. Raises Refusal as `read`."""
        with self._explained():
            found = self._client.list_blobs(self.name, retry=RETRY, timeout=TIMEOUT_SECONDS)
            objects = [Object(blob.name, blob.size, blob.generation, blob.time_created) for blob in found]
            return sorted(objects, key=lambda each: each.name)

    def delete(self, item: Object) -> bool:
        """Deletes an object, and returns whether it is gone; one that was written after `item` stays.

        A versioned bucket keeps the deleted version until its lifecycle rule removes it. Raises Refusal as
        `read`.
        """
        with self._explained("delete from", "roles/storage.objectUser"):
            # A blob with `generation` would be deleted for good, with its noncurrent version.
            blob = self._client.bucket(self.name).blob(item.name)
            try:
                blob.delete(if_generation_match=item.generation, retry=RETRY, timeout=TIMEOUT_SECONDS)
            except exceptions.NotFound:
                return True  # deleted by a run that was interrupted before it had the answer
            except exceptions.PreconditionFailed:
                return False
            return True

    @cached_property
    def _client(self) -> storage.Client:
        if self.url is None:
            return storage.Client()
        return storage.Client(
            project="local", credentials=AnonymousCredentials(), client_options={"api_endpoint": self.url}
        )

    @contextmanager
    def _explained(self, action: str = "read", role: str = "roles/storage.objectViewer") -> Iterator[None]:
        """Turns the failures of Google's client into one sentence each; `role` allows the action."""
        place = f"the bucket gs://{self.name}"
        try:
            yield
        except google.auth.exceptions.TransportError as error:
            raise self._no_answer(error) from None
        except google.auth.exceptions.GoogleAuthError:
            raise Refusal(
                f"Reading {place} needs Google credentials, and this machine has none that work: run "
                "`gcloud auth application-default login`."
            ) from None
        except exceptions.NotFound:
            raise Refusal(
                f"There is no {place.removeprefix('the ')}: deploy the stack's foundation first "
                "(docs/operations.md), or fix target.project."
            ) from None
        except exceptions.Forbidden:
            raise Refusal(
                f"Google does not let you {action} {place}: ask its owner for {role} on it."
            ) from None
        except (exceptions.GoogleAPIError, requests.RequestException, OSError) as error:
            raise self._no_answer(error) from None

    def _no_answer(self, error: Exception) -> Refusal:
        where = self.url or "Cloud Storage"
        advice = "run `make up`, which starts it" if self.url else "run the same command again"
        reason = type(error.__cause__ or error).__name__
        return Refusal(
            f"{where} did not give an answer about the bucket gs://{self.name} ({reason}): {advice}."
        )


def bucket_of(settings: Settings) -> Bucket:
    """Returns the bucket of a serving stack. Raises Refusal for a local cluster that is not `make up`'s."""
    match settings.target:
        case GkeTarget() | TpuVmTarget() as target:
            return Bucket(artifact_bucket(target.project))
        case LocalTarget(kubeconfig=None):
            return Bucket(interface.bucket(), interface.storage_url())
        case _:
            raise Refusal(
                "A cluster of your own (target.kubeconfig) has no bucket, so no release of it is recorded: "
                "name another stack."
            )
