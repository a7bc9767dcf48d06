"""Requests of a file, in the two formats of `vllm bench serve` that hold lengths. Pure apart from the file.

A trace (`--dataset-name timed_trace`) is a .jsonl file with `input_length` and `output_length` of each
request; `timestamp` says when it comes, and `hash_ids` which chunks of tokens its prompt is made of, so that
requests share beginnings. A table (`--dataset-name burstgpt`) is a .csv file, of which the benchmark takes
the rows of GPT-4 that have an answer, at random and without their times. The names and the rules are those of
vllm/benchmarks/datasets/datasets.py, `TimedTrace` and `BurstGPTDataset`.

The other formats hold texts. How many tokens a text has, only the model's tokenizer knows, which is part of
the checkpoint; a simulation needs no checkpoint.
"""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

CHUNK = 16
"""Tokens of a hash where LOAD names no number, as in the benchmark (`--timed-trace-chunk-hash-size`)."""

FORM = (
    'a trace (.jsonl) has lines like {"timestamp": 0.5, "input_length": 900, "output_length": 120}, a table '
    "(.csv) the columns Model, Request tokens and Response tokens"
)


@dataclass(frozen=True)
class Row:
    """One request of a file. `at` is in seconds, None in a file without times.

    `hashes` are the chunks of its prompt, empty where nothing is known to be shared.
    """

    prompt: int
    answer: int
    at: float | None = None
    hashes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Recording:
    """The requests of a file. Those of a trace come in its order, those of a table in any."""

    rows: tuple[Row, ...]
    in_order: bool
    chunk: int = CHUNK
    """Tokens of one hash."""

    @property
    def timed(self) -> bool:
        """Returns whether the file says when each request comes."""
        return all(row.at is not None for row in self.rows)


def read(path: Path, chunk: int = CHUNK, unit: float = 1.0) -> Recording:
    """Returns the requests of a file; `unit` is the seconds of one unit of its timestamps.

    Raises ValueError, one sentence, for another file and for a line that is no request.
    """
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ValueError(f"file={path} cannot be read ({error.strerror}): name a file of requests.") from None
    except UnicodeDecodeError:
        raise ValueError(f"file={path} is no text: {FORM}.") from None
    match path.suffix:
        case ".jsonl":
            recording = Recording(_trace(path, text, chunk, unit), in_order=True, chunk=chunk)
        case ".csv":
            recording = Recording(_table(path, text), in_order=False)
        case ".json":
            raise ValueError(_texts(path))
        case _:
            raise ValueError(f"file={path} is none that the simulation reads: {FORM}.")
    if not recording.rows:
        raise ValueError(f"file={path} has no request: {FORM}.")
    return recording


def _texts(path: Path) -> str:
    return (
        f"file={path} has texts, whose lengths only the model's tokenizer knows: write a trace with the "
        "input_length and output_length of each request."
    )


def _trace(path: Path, text: str, chunk: int, unit: float) -> tuple[Row, ...]:
    rows = list[Row]()
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        where = f"file={path}, line {number}"
        try:
            entry: Any = json.loads(line)
        except ValueError:
            raise ValueError(f"{where} is not valid JSON: {FORM}.") from None
        if not isinstance(entry, dict):
            raise ValueError(f"{where} is no object: {FORM}.")
        fields = cast(Mapping[str, Any], entry)
        if "prompt" in fields and "input_length" not in fields:
            raise ValueError(_texts(path))
        row = _row(where, fields, chunk, unit)
        if rows and (row.at is None) != (rows[-1].at is None):
            raise ValueError(f"{where}: some lines have a timestamp and some do not: give it to all or none.")
        if rows and row.at is not None and row.at < (rows[-1].at or 0.0):
            raise ValueError(f"{where} comes before the line above it: sort the lines by timestamp.")
        rows.append(row)
    return tuple(rows)


def _row(where: str, fields: Mapping[str, Any], chunk: int, unit: float) -> Row:
    prompt = _tokens(where, "input_length", fields.get("input_length"))
    answer = _tokens(where, "output_length", fields.get("output_length"))
    at = fields.get("timestamp")
    if at is not None and (not isinstance(at, int | float) or isinstance(at, bool) or not 0 <= at < 1e15):
        raise ValueError(
            f"{where}: timestamp is {at!r}, which is no time from 0: write a number, or leave it out."
        )
    hashes: Any = fields.get("hash_ids", [])
    if not isinstance(hashes, list) or not all(
        type(each) is int and each >= 0 for each in cast(list[Any], hashes)
    ):
        raise ValueError(f"{where}: hash_ids is no list of whole numbers from 0: write one, or leave it out.")
    chunks = cast(list[int], hashes)
    if chunks and len(chunks) * chunk < prompt:
        raise ValueError(
            f"{where}: {len(chunks)} hash_ids of {chunk} tokens are fewer than input_length, {prompt:,}: "
            "write chunk=TOKENS, the tokens of one hash of this trace, in LOAD."
        )
    return Row(prompt, answer, None if at is None else at * unit, tuple(chunks[: -(-prompt // chunk)]))


def _tokens(where: str, name: str, value: object) -> int:
    if type(value) is not int or value < 1:
        shown = "missing" if value is None else f"{value!r}"
        raise ValueError(f"{where}: {name} is {shown}, and a request has at least one token: {FORM}.")
    return value


def _table(path: Path, text: str) -> tuple[Row, ...]:
    reader = csv.DictReader(io.StringIO(text))
    missing = {"Model", "Request tokens", "Response tokens"} - set(reader.fieldnames or ())
    if missing:
        raise ValueError(f"file={path} has no column {', '.join(sorted(missing))}: {FORM}.")
    rows = list[Row]()
    for entry in reader:
        where = f"file={path}, line {reader.line_num}"
        if entry["Model"] != "GPT-4":
            continue
        prompt, answer = (_number(where, name, entry[name]) for name in ("Request tokens", "Response tokens"))
        # A failed request has no answer.
        if answer:
            rows.append(Row(_tokens(where, "Request tokens", prompt), answer))
    return tuple(rows)


def _number(where: str, name: str, text: str | None) -> int:
    if text is None or not text.strip().isdecimal():
        raise ValueError(f"{where}: {name} is {text!r}, which is no whole number: {FORM}.")
    return int(text)
