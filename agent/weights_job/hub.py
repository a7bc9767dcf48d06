"""Hugging Face: the files of one revision of a repository, with the token that they may need."""

# pyright: basic
# The libraries of the server's image are not installed for the type checker.

from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import requests  # pyright: ignore[reportMissingImports, reportMissingModuleSource]
from huggingface_hub import HfApi, hf_hub_url  # pyright: ignore[reportMissingImports]
from huggingface_hub.errors import HfHubHTTPError  # pyright: ignore[reportMissingImports]

from agent.weights_job.manifest import File

CONNECT_SECONDS = 30
READ_SECONDS = 120


class Refused(Exception):
    """Failure that the user has to fix: what was asked, what is wrong, what to change."""


class Body(Protocol):
    """Open download: reads some bytes, or all that are left."""

    def read(self, size: int) -> bytes: ...


class Hub:
    """One revision of a repository. It reads the token file at the first request."""

    def __init__(self, repository: str, revision: str, token_file: Path | None) -> None:
        self._repository, self._revision, self._token_file = repository, revision, token_file

    def __str__(self) -> str:
        return f"{self._repository} at {self._revision}"

    @cached_property
    def _token(self) -> str:
        return read_token(self._token_file)

    def files(self) -> list[File]:
        """Returns all files of the revision. Raises Refused."""
        try:
            tree = list(
                HfApi(token=self._token or False).list_repo_tree(
                    self._repository, revision=self._revision, recursive=True
                )
            )
        except HfHubHTTPError as error:
            raise self.refusal(error.response.status_code, str(self)) or error from None
        return [
            File(entry.path, entry.size, entry.lfs.sha256 if entry.lfs else entry.blob_id)
            for entry in tree
            if hasattr(entry, "size")
        ]

    def download(self, path: str) -> "Download":
        """Returns a context manager that downloads one file."""
        # requests drops the token when the answer points at another host, which has its own signature.
        answer = requests.get(
            hf_hub_url(self._repository, path, revision=self._revision),
            headers={"authorization": f"Bearer {self._token}"} if self._token else {},
            stream=True,
            timeout=(CONNECT_SECONDS, READ_SECONDS),
        )
        return Download(answer, self.refusal(answer.status_code, f"{path} of {self}"))

    def refusal(self, code: int, what: str) -> Refused | None:
        """Returns the advice on answer `code` to a request for `what`; None where it may pass."""
        if code == 404:
            return Refused(f"Hugging Face has no {what} (HTTP 404): see --repository and --revision.")
        if code not in (401, 403):
            return None
        cure = (
            f"accept the model's terms with the account of the token in {self._token_file}, and see that the "
            "token is valid and may read the model"
            if self._token_file
            else "the model takes a token, and --token-file names none"
        )
        return Refused(f"Hugging Face does not give {what} (HTTP {code}): {cure}.")


class Download:
    """One open answer; entering it raises for an answer that is not the file."""

    def __init__(self, answer: Any, refusal: Refused | None) -> None:
        self._answer, self._refusal = answer, refusal

    def __enter__(self) -> Body:
        if self._refusal:
            raise self._refusal
        self._answer.raise_for_status()
        self._answer.raw.decode_content = True
        return self._answer.raw

    def __exit__(self, *_: object) -> None:
        self._answer.close()


def read_token(file: Path | None) -> str:
    """Returns the token for Hugging Face, empty where none is needed. Raises Refused."""
    if file is None:
        return ""
    try:
        token = file.read_text("utf-8").strip()
    except OSError as error:
        raise Refused(
            f"The token file {file} cannot be read ({error.strerror}): give --token-file a file with a token "
            f"of Hugging Face, or leave it out for a model that needs none."
        ) from None
    if not token:
        raise Refused(f"The token file {file} is empty: put a token of Hugging Face into it.")
    return token
