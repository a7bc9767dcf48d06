"""Loads whose requests are those of a file: what is read, what follows, and files that are refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from config.traffic.load import Load, Request, parse
from config.traffic.load_file import Row, read

LINES: list[dict[str, Any]] = [
    {"timestamp": 0, "input_length": 40, "output_length": 5, "hash_ids": [1, 2, 3]},
    {"timestamp": 1500, "input_length": 48, "output_length": 7, "hash_ids": [1, 2, 3]},
    {"timestamp": 1500, "input_length": 20, "output_length": 1, "hash_ids": [1, 9]},
]
TABLE = """Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type
5,ChatGPT,472,18,490,Conversation log
45,GPT-4,1087,230,1317,Conversation log
118,GPT-4,417,276,693,API log
120,GPT-4,417,0,417,API log
"""


def trace(folder: Path, *lines: object) -> Path:
    file = folder / "trace.jsonl"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines or LINES), "utf-8")
    return file


def table(folder: Path, text: str = TABLE) -> Path:
    file = folder / "table.csv"
    file.write_text(text, "utf-8")
    return file


def requests(load: Load) -> list[Request]:
    return list(load.draw())


def test_a_trace_has_its_own_times_lengths_and_order(tmp_path: Path) -> None:
    load = parse(f"file={trace(tmp_path)} unit=0.001")
    assert (load.concurrency, load.rate, load.requests, load.longest) == (None, None, 3, 55)
    assert [(each.at, each.prompt, each.answer) for each in load.draw()] == [
        (0.0, 40, 5),
        (1.5, 48, 7),
        (1.5, 20, 1),
    ]


def test_requests_of_a_trace_share_the_chunks_that_their_hashes_share(tmp_path: Path) -> None:
    first, second, third = (each.tokens() for each in requests(parse(f"file={trace(tmp_path)}")))
    assert [len(tokens) for tokens in (first, second, third)] == [40, 48, 20]
    assert first[:32] == second[:32] and first[:16] == third[:16]
    # As in the benchmark, a chunk that is cut has other tokens than the whole one.
    assert not set(first[32:]) & set(second[32:]) and not set(second[16:32]) & set(third[16:])


def test_a_concurrency_or_a_rate_replaces_the_times_of_a_trace(tmp_path: Path) -> None:
    together = parse(f"concurrency=2 requests=2 file={trace(tmp_path)}")
    assert [(each.at, each.prompt) for each in together.draw()] == [(0.0, 40), (0.0, 48)]
    spread = [each.at for each in parse(f"rate=2 file={trace(tmp_path)}").draw()]
    assert 0.0 == spread[0] < spread[1] < spread[2]


def test_a_table_has_the_answered_requests_of_gpt_4(tmp_path: Path) -> None:
    assert read(table(tmp_path)).rows == (Row(1087, 230), Row(417, 276))


def test_requests_of_a_table_are_drawn_from_its_rows(tmp_path: Path) -> None:
    load = parse(f"concurrency=8 file={table(tmp_path)}")
    drawn = requests(load)
    assert len(drawn) == 16 and drawn == requests(load)
    assert {(each.prompt, each.answer) for each in drawn} == {(1087, 230), (417, 276)}
    assert len({each.tokens()[0] for each in drawn}) == 16, "prompts share a beginning"
    both = requests(parse(f"concurrency=1 requests=2 file={table(tmp_path)}"))
    assert {each.prompt for each in both} == {1087, 417}, "a row is drawn twice although there are enough"


BAD_LINES: list[tuple[object, str]] = [
    ([1], "line 1 is no object"),
    ({"output_length": 1}, "line 1: input_length is missing, and a request has at least one token"),
    ({"input_length": 0, "output_length": 1}, "line 1: input_length is 0, and a request has"),
    ({"input_length": 5, "output_length": 1.5}, "line 1: output_length is 1.5, and a request has"),
    ({"input_length": True, "output_length": 1}, "line 1: input_length is True"),
    ({"input_length": 5, "output_length": 1, "timestamp": "now"}, "timestamp is 'now', which is no time"),
    ({"input_length": 5, "output_length": 1, "timestamp": -1}, "timestamp is -1, which is no time from 0"),
    ({"input_length": 5, "output_length": 1, "hash_ids": 3}, "hash_ids is no list of whole numbers"),
    ({"input_length": 5, "output_length": 1, "hash_ids": [-3]}, "hash_ids is no list of whole numbers"),
    (
        {"input_length": 600, "output_length": 1, "hash_ids": [1, 2]},
        "2 hash_ids of 16 tokens are fewer than input_length, 600: write chunk=TOKENS",
    ),
    ({"prompt": "Hello", "output_tokens": 9}, "has texts, whose lengths only the model's tokenizer knows"),
]


@pytest.mark.parametrize(("line", "sentence"), BAD_LINES)
def test_a_line_that_is_no_request_is_refused(line: object, sentence: str, tmp_path: Path) -> None:
    refused(f"rate=1 file={trace(tmp_path, line)}", sentence)


BAD_FILES = [
    ("a.jsonl", "", "has no request"),
    ("a.jsonl", "{", "line 1 is not valid JSON"),
    (
        "a.jsonl",
        '{"input_length": 5, "output_length": 1, "timestamp": 2}\n'
        '{"input_length": 5, "output_length": 1, "timestamp": 1}',
        "line 2 comes before the line above it: sort the lines by timestamp.",
    ),
    (
        "a.jsonl",
        '{"input_length": 5, "output_length": 1, "timestamp": 2}\n{"input_length": 5, "output_length": 1}',
        "line 2: some lines have a timestamp and some do not: give it to all or none.",
    ),
    ("a.csv", "Model,Tokens\nGPT-4,3\n", "has no column Request tokens, Response tokens"),
    ("a.csv", "Model,Request tokens,Response tokens\nGPT-4,many,3\n", "line 2: Request tokens is 'many'"),
    (
        "a.csv",
        "Model,Request tokens,Response tokens\nGPT-4,0,3\n",
        "line 2: Request tokens is 0, and a request",
    ),
    ("a.csv", "Model,Request tokens,Response tokens\nGPT-4,5\n", "line 2: Response tokens is None"),
    ("a.csv", "Model,Request tokens,Response tokens\nGPT-3,5,5\n", "has no request"),
    ("a.json", "[]", "has texts, whose lengths only the model's tokenizer knows: write a trace"),
    ("a.txt", "5 5", "is none that the simulation reads: a trace (.jsonl) has lines like"),
]


@pytest.mark.parametrize(("name", "text", "sentence"), BAD_FILES)
def test_another_file_is_refused(name: str, text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    refused(f"rate=1 file={tmp_path / name}", sentence)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    refused(f"rate=1 file={tmp_path / 'none.jsonl'}", "cannot be read (No such file or directory)")
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe")
    refused(f"rate=1 file={tmp_path / 'a.csv'}", "is no text")


BAD_WORDS = [
    ("file={trace} prompt=5", "prompt and file in LOAD both say what the requests are: leave one out."),
    ("file={trace} prefix=0.5", "prefix and file in LOAD both say what the requests are"),
    ("file={trace} images=1", "images and file in LOAD both say what the requests are"),
    ("file={trace} rate=1 concurrency=1", "LOAD has concurrency and rate, which exclude each other"),
    ("file={trace} requests=4", "requests=4 in LOAD are more than the 3 of file="),
    ("file={trace} chunk=0", "chunk=0 is no whole number from 1"),
    ("file={trace} unit=0", "unit=0 is no number above 0"),
    ("file={table}", "does not say when requests come: add concurrency or rate to LOAD."),
    ("file={table} rate=1 chunk=16", "chunk in LOAD describes a trace (.jsonl), and file="),
    ("file={trace} rate=1 unit=0.001", "unit in LOAD is that of a trace's timestamps, which are not used"),
    ("file={trace} burstiness=0.5", "burstiness=0.5 says how unevenly the requests of a rate come"),
    ("rate=1 prompt=5 answer=5 chunk=16", "chunk in LOAD describes a file, and LOAD names none"),
]


@pytest.mark.parametrize(("words", "sentence"), BAD_WORDS)
def test_words_that_do_not_fit_a_file_are_refused(words: str, sentence: str, tmp_path: Path) -> None:
    refused(words.format(trace=trace(tmp_path), table=table(tmp_path)), sentence)


def refused(text: str, sentence: str) -> None:
    with pytest.raises(ValueError) as refusal:
        parse(text)
    assert sentence in str(refusal.value) and "\n" not in str(refusal.value)
    assert str(refusal.value).endswith(".")
