"""Copy of one revision of a Hugging Face repository into a bucket, file by file, checked on the way.

Runs in the server's image as a Job, before any server reads the files. Nothing is kept on disk: each file
streams from one store to the other. A file that is there with the right size and digest stays as it is, so
the program can be run again after any failure. An object appears only when all of it has arrived and its
digest is right: a server can never read half a file.
"""

# pyright: basic
# The libraries of the server's image are not installed for the type checker.

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

PARALLEL_FILES = 4
PIECE_BYTES = 32 * 2**20
SIZE_TOLERANCE = 0.1
"""Share by which a checkpoint may differ in size, such as by an output layer that it stores separately."""
CONNECT_SECONDS = 30
READ_SECONDS = 120


@dataclass(frozen=True)
class File:
    """`path` inside the repository; `digest` is its SHA-256, which Hugging Face knows of large files only."""

    path: str
    size: int
    digest: str | None


class Refused(Exception):
    """Failure that the user has to fix: what was asked, what is wrong, what to change."""


class Body(Protocol):
    """Open download: reads some bytes, or all that are left."""

    def read(self, size: int) -> bytes: ...


class Checked:
    """Download as the upload reads it. It returns the last piece only when size and digest are right."""

    def __init__(self, body: Body, file: File) -> None:
        self._body, self._file = body, file
        self._digest = hashlib.sha256()
        self._position = 0

    def tell(self) -> int:
        """Returns the number of bytes read so far, for the uploader."""
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Returns `size` more bytes, or fewer at the end. Raises OSError for a file other than announced."""
        left = self._file.size - self._position
        wanted = left if size < 0 else min(size, left)
        pieces: list[bytes] = []
        while wanted > 0:
            piece = self._body.read(wanted)
            if not piece:
                raise OSError(f"{self._file.path} ended after {self._position} of {self._file.size} bytes")
            self._digest.update(piece)
            self._position += len(piece)
            wanted -= len(piece)
            pieces.append(piece)
        if self._position == self._file.size and self._file.digest not in (None, self._digest.hexdigest()):
            raise OSError(
                f"{self._file.path} is not the file that the repository announces: its digest differs"
            )
        return b"".join(pieces)


def is_there(blob: Any, file: File) -> bool:
    """Returns whether the bucket has this very file, from an earlier run."""
    if blob is None or blob.size != file.size:
        return False
    return file.digest is None or (blob.metadata or {}).get("sha256") == file.digest


def stage(files: Iterable[File], prefix: str, bucket: Any, download: Any) -> Iterator[str]:
    """Copy every file below `prefix`; yields a line for each.

    `bucket` is google.cloud.storage's; `download(path)` gives a context manager with a `Body`. The first
    failure is raised after the files under way have ended.
    """

    def bring(file: File) -> str:
        began = time.monotonic()
        name = f"{prefix}/{file.path}"
        if is_there(bucket.get_blob(name), file):
            return f"{file.path}: there"
        blob = bucket.blob(name, chunk_size=PIECE_BYTES)
        if file.digest:
            blob.metadata = {"sha256": file.digest}
        with download(file.path) as body:
            blob.upload_from_file(Checked(body, file), size=file.size, checksum="crc32c")
        seconds = time.monotonic() - began
        return f"{file.path}: {file.size / 1e6:.1f} MB in {seconds:.0f} s"

    with ThreadPoolExecutor(PARALLEL_FILES) as pool:
        yield from pool.map(bring, files)


def checkpoint_problem(config: bytes, weight_bytes: int, expect: str) -> str | None:
    """Returns why the files of a checkpoint are not those that a plan counts on; None when they are.

    `config` is its config.json, `weight_bytes` the size of its safetensors files, and `expect` the JSON text
    of serving/models/checkpoint.py. A name that config.json leaves out is refused: its default depends on the
    version of transformers, which itself writes all of them.
    """
    wanted: dict[str, Any] = json.loads(expect)
    try:
        given: dict[str, Any] = json.loads(config)
        text: dict[str, Any] = given.get("text_config") or {}
        quantized = "quantization_config" in given or "quantization_config" in text
        kinds = {each.get("dtype") or each.get("torch_dtype") for each in (given, text)} - {None, "bfloat16"}
    except (ValueError, AttributeError):
        return "config.json is not the JSON object of a model"
    if given.get("architectures") != wanted["architectures"]:
        return f"config.json has architectures {given.get('architectures')}, not {wanted['architectures']}"
    if quantized:
        return "config.json has a quantization_config, and only unquantized bf16 weights are served"
    if kinds:
        return f"config.json has dtype {', '.join(sorted(map(str, kinds)))}, and only bfloat16 is served"
    for name, value in wanted["text_config"].items():
        if name not in text:
            return f"config.json has no text_config.{name}, which must be {value}"
        if text[name] != value:
            return f"text_config.{name} is {text[name]} in config.json, not {value}"
    problem = full_attention_problem(text, wanted["full_attention"]) or context_problem(
        text, wanted["max_model_len"]
    )
    if problem:
        return problem
    if abs(weight_bytes - wanted["weight_bytes"]) > wanted["weight_bytes"] * SIZE_TOLERANCE:
        return f"its safetensors files have {weight_bytes:,} bytes, not about {wanted['weight_bytes']:,}"
    return None


def full_attention_problem(text: dict[str, Any], wanted: dict[str, Any]) -> str | None:
    """Returns why the layers that attend to all tokens are not the `wanted` ones; None when they are.

    Published checkpoints state their shape in `global_head_dim` and `num_global_key_value_heads`;
    transformers 5.19 writes `per_layer_config` instead. Heads that a checkpoint does not state, or states as
    null, are `num_key_value_heads`, and so they are without `attention_k_eq_v`.
    """
    kinds = text.get("layer_types")
    if not isinstance(kinds, list):
        return "config.json has no text_config.layer_types, which names the layers with full attention"
    layers = [number for number, kind in enumerate(kinds) if kind == "full_attention"]
    if layers != wanted["layers"]:
        return f"text_config.layer_types has full attention in layers {layers}, not {wanted['layers']}"
    each = text.get("per_layer_config")
    if not isinstance(each, dict):
        if "global_head_dim" not in text:
            return "config.json has no text_config.global_head_dim and no text_config.per_layer_config"
        heads = text.get("num_global_key_value_heads") if text.get("attention_k_eq_v") else None
        shape = {"head_dim": text["global_head_dim"], "num_key_value_heads": heads}
        each = {str(layer): shape for layer in layers}
    for layer in layers:
        shape = each.get(str(layer)) or {}
        for name in ("head_dim", "num_key_value_heads"):
            value = shape.get(name)
            value = text.get(name) if value is None else value
            if value != wanted[name]:
                return f"layer {layer} has {name} {value} in config.json, not {wanted[name]}"
    return None


def context_problem(text: dict[str, Any], max_model_len: int) -> str | None:
    """Returns why the checkpoint cannot take requests of `max_model_len` tokens; None when it can."""
    context = text.get("max_position_embeddings")
    if not isinstance(context, int):
        return "config.json has no text_config.max_position_embeddings"
    if context < max_model_len:
        return (
            f"text_config.max_position_embeddings is {context} in config.json, less than "
            f"engine.max_model_len {max_model_len}, which you can lower"
        )
    return None


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


def refused_by_hub(code: int, what: str, token_file: Path | None) -> Refused | None:
    """Returns the advice on answer `code` of Hugging Face to a request for `what`; None where it may pass."""
    if code == 404:
        return Refused(f"Hugging Face has no {what} (HTTP 404): see --repository and --revision.")
    if code not in (401, 403):
        return None
    cure = (
        f"accept the model's terms with the account of the token in {token_file}, and see that the token is "
        f"valid and may read the model"
        if token_file
        else "the model takes a token, and --token-file names none"
    )
    return Refused(f"Hugging Face does not give {what} (HTTP {code}): {cure}.")


def refused_by_bucket(error: Any, bucket: str) -> Refused | None:
    """Returns the advice on an error of Cloud Storage's client; None where it may pass."""
    try:
        said = error.response.json()["error"]["message"]
    except (AttributeError, ValueError, KeyError, TypeError):
        said = error.message
    reason = f"HTTP {error.code}: {said}"
    if error.code == 404:
        return Refused(f"The bucket {bucket} does not exist ({reason}): deploy the foundation first.")
    if error.code not in (401, 403):
        return None
    return Refused(
        f"gs://{bucket} may not be read and written ({reason}): grant the account that runs this "
        f"roles/storage.objectUser there."
    )


def refuse_other_checkpoint(files: Sequence[File], download: Any, revision: str, expect: str) -> None:
    """Raises Refused, before anything is copied, unless `expect` describes these files."""
    problem: str | None = "it has no config.json"
    if any(file.path == "config.json" for file in files):
        with download("config.json") as body:
            config = body.read(PIECE_BYTES)
        weight_bytes = sum(file.size for file in files if file.path.endswith(".safetensors"))
        problem = checkpoint_problem(config, weight_bytes, expect)
    if problem is not None:
        raise Refused(
            f"{revision} is no checkpoint of {json.loads(expect)['model']}: {problem}; name another "
            "repository, or another architecture."
        )


def main(arguments: list[str]) -> int:
    """Copy the repository that the command line names; returns 0 when all is there. Raises Refused."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repository", required=True)
    parser.add_argument(
        "--revision", required=True, help="a commit, so that the same weights come every time"
    )
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--token-file", type=Path)
    parser.add_argument(
        "--expect", help="what config.json must say; for a checkpoint outside the model table"
    )
    given = parser.parse_args(arguments)
    # Imported here: only the server's image has them.
    import requests  # pyright: ignore[reportMissingImports, reportMissingModuleSource]
    from google.api_core.exceptions import GoogleAPICallError  # pyright: ignore[reportMissingImports]
    from google.auth.exceptions import GoogleAuthError  # pyright: ignore[reportMissingImports]
    from google.cloud import storage  # pyright: ignore[reportMissingImports, reportAttributeAccessIssue]
    from huggingface_hub import HfApi, hf_hub_url  # pyright: ignore[reportMissingImports]
    from huggingface_hub.errors import HfHubHTTPError  # pyright: ignore[reportMissingImports]

    token = read_token(given.token_file)
    revision = f"{given.repository} at {given.revision}"
    try:
        hub = HfApi(token=token or False)
        tree = list(hub.list_repo_tree(given.repository, revision=given.revision, recursive=True))
    except HfHubHTTPError as error:
        raise refused_by_hub(error.response.status_code, revision, given.token_file) or error from None
    files = [
        File(entry.path, entry.size, entry.lfs.sha256 if entry.lfs else None)
        for entry in tree
        if hasattr(entry, "size")
    ]

    class Download:
        def __init__(self, path: str) -> None:
            self._path = path
            # requests drops the token when the answer points at another host, which has its own signature.
            self._answer = requests.get(
                hf_hub_url(given.repository, path, revision=given.revision),
                headers={"authorization": f"Bearer {token}"} if token else {},
                stream=True,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
            )

        def __enter__(self) -> Body:
            what = f"{self._path} of {revision}"
            if refused := refused_by_hub(self._answer.status_code, what, given.token_file):
                raise refused
            self._answer.raise_for_status()
            self._answer.raw.decode_content = True
            return self._answer.raw

        def __exit__(self, *_: object) -> None:
            self._answer.close()

    if given.expect is not None:
        refuse_other_checkpoint(files, Download, revision, given.expect)
    print(f"{len(files)} files, {sum(file.size for file in files) / 1e9:.1f} GB", flush=True)
    try:
        for line in stage(files, given.prefix, storage.Client().bucket(given.bucket), Download):
            print(line, flush=True)
    except GoogleAPICallError as error:
        raise refused_by_bucket(error, given.bucket) or error from None
    except GoogleAuthError as error:
        raise Refused(
            f"gs://{given.bucket} cannot be written without an account of Google's ({error}): run "
            f"`gcloud auth application-default login`, or this where a service account is at hand."
        ) from None
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Refused as refused:
        sys.exit(str(refused))
