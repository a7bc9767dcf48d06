"""One cell of a ladder: `vllm bench serve` at one concurrency, and what the server counted meanwhile.

Options and fields of the benchmark: vllm/benchmarks/serve.py of vLLM 0.32.
"""

import json
import os
import secrets
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agent.load_test import counters, prompts
from agent.load_test.counters import Addresses, Counters, NotReadable
from agent.load_test.prompts import Tokenizer

DEADLINE_SECONDS = 3600
"""Seconds after which a cell is given up: the longest cell of the seed's 144 takes minutes."""
SHOWN_CHARACTERS = 300
"""Characters of the benchmark's last line that a sentence repeats."""

SHARES = ("p50", "p95")

WITHHELD = ("http_proxy", "https_proxy", "all_proxy", "openai_api_key")
"""Variables, in any case, that the benchmark does not inherit. It would use a proxy (aiohttp, trust_env), and
another server's key."""

ENVIRONMENT = {
    # The benchmark imports vLLM, which must neither look for a TPU nor call a hub.
    "HF_HUB_OFFLINE": "1",
    "JAX_PLATFORMS": "cpu",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_PLUGINS": "",
}

TIMES = {"time_to_first_token_ms": "ttft", "time_between_tokens_ms": "tpot", "whole_request_ms": "e2el"}
"""Field of a cell -> the benchmark's name. `tpot` is a request's mean after its first token, as in
acceptance."""


@dataclass(frozen=True)
class Cell:
    """Requests of one cell: `requests` in total, `concurrency` of them at any time. Lengths are in tokens."""

    concurrency: int
    prompt_tokens: int
    output_tokens: int
    requests: int

    @property
    def name(self) -> str:
        """Returns the name of the cell's object in the bucket."""
        return f"c{self.concurrency}-p{self.prompt_tokens}-o{self.output_tokens}"


@dataclass(frozen=True)
class Subject:
    """The server under test, and what a client of it needs."""

    addresses: Addresses
    model: str
    tokenizer_folder: Path
    api_key_file: Path | None
    program: str
    """The server's `vllm`."""


def measure(cell: Cell, subject: Subject, tokenizer: Tokenizer, seed: int | None = None) -> dict[str, Any]:
    """Returns the cell's result: state `measured`, or `rejected` with a sentence.

    Each call sends prompts of a new seed, unless one is given.
    """
    chosen = secrets.randbits(63) if seed is None else seed
    common = {"cell": cell.name, **asdict(cell), "seed": chosen}
    began = time.monotonic()
    try:
        texts = prompts.fresh(tokenizer, cell.requests, cell.prompt_tokens, chosen)
        before = counters.idle(subject.addresses)
        report = _benchmark(cell, subject, texts)
        after = counters.idle(subject.addresses)
    except (_NoReport, NotReadable, ValueError) as problem:
        state: dict[str, Any] = {"state": "rejected", "sentence": f"{cell.name} was not measured: {problem}."}
    else:
        state = {**_measured(report), **_counted(before, after), **_verdict(cell, report, before, after)}
    return {**common, **state, "seconds": round(time.monotonic() - began, 1), "finished": round(time.time())}


class _NoReport(Exception):
    """The benchmark ended without a report. The text says why."""


def _benchmark(cell: Cell, subject: Subject, texts: list[str]) -> Mapping[str, Any]:
    """Returns the benchmark's report. Raises _NoReport."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = folder / "prompts.jsonl"
        data.write_text("".join(json.dumps({"prompt": text}) + "\n" for text in texts), "utf-8")
        # The image's own variables are needed, and USER: PyTorch ends when nothing names its user.
        inherited = {key: value for key, value in os.environ.items() if key.lower() not in WITHHELD}
        environment = {**inherited, **ENVIRONMENT}
        if subject.api_key_file is not None:
            # An argument would show the key to every process of the machine.
            environment["OPENAI_API_KEY"] = subject.api_key_file.read_text("utf-8").split()[0]
        try:
            done = subprocess.run(
                command(cell, subject, data, folder),
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=DEADLINE_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise _NoReport(f"it took longer than {DEADLINE_SECONDS} s") from None
        file = folder / "report.json"
        if done.returncode != 0 or not file.exists():
            last = (done.stdout.strip().splitlines() or ["no output"])[-1][-SHOWN_CHARACTERS:]
            raise _NoReport(f"`vllm bench serve` ended with code {done.returncode} ({last})")
        return json.loads(file.read_text("utf-8"))


def command(cell: Cell, subject: Subject, data: Path, folder: Path) -> list[str]:
    """Returns the benchmark's command line.

    The ready check and the warm-up are off: both send the first prompt, which then hits the prefix cache.
    """
    return [
        *(subject.program, "bench", "serve", "--backend", "openai", "--endpoint", "/v1/completions"),
        *("--base-url", subject.addresses.server, "--model", subject.model),
        *("--tokenizer", str(subject.tokenizer_folder)),
        *("--dataset-name", "custom", "--dataset-path", str(data), "--skip-chat-template"),
        *("--custom-output-len", str(cell.output_tokens), "--num-prompts", str(cell.requests)),
        *("--max-concurrency", str(cell.concurrency), "--request-rate", "inf"),
        *("--ignore-eos", "--temperature", "0"),
        *("--ready-check-timeout-sec", "0", "--num-warmups", "0", "--disable-tqdm"),
        *("--percentile-metrics", ",".join(TIMES.values()), "--metric-percentiles", "50,95"),
        *("--save-result", "--result-dir", str(folder), "--result-filename", "report.json"),
    ]


def _measured(report: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the benchmark's measurements; times are None when no request succeeded."""
    answered = report["completed"] > 0
    times = {
        field: {f"p{share}": round(report[f"p{share}_{name}_ms"], 2) for share in (50, 95)}
        if answered
        else None
        for field, name in TIMES.items()
    }
    return {
        "failures": report["failed"],
        **times,
        "output_tokens_per_second": round(report["output_throughput"], 1),
        "total_tokens_per_second": round(report["total_token_throughput"], 1),
    }


def _counted(before: Counters, after: Counters) -> dict[str, int | None]:
    compiled = None if before.compiled is None or after.compiled is None else after.compiled - before.compiled
    return {
        "prefix_cache_hits": after.prefix_cache_hits - before.prefix_cache_hits,
        "preemptions": after.preemptions - before.preemptions,
        "compiled": compiled,
    }


def _verdict(cell: Cell, report: Mapping[str, Any], before: Counters, after: Counters) -> dict[str, str]:
    """Returns state and sentence: a cell counts if the server computed all of it, for this client only."""
    hits = after.prefix_cache_hits - before.prefix_cache_hits
    others = after.ended - before.ended - report["completed"] - report["failed"]
    if after.ended < before.ended:
        problem = "the server restarted during the cell"
    elif hits:
        problem = f"{hits:,} prompt tokens came from the prefix cache, so these times are too short"
    elif others > 0:
        problem = f"the server also answered {others:,} requests of other clients"
    else:
        return {"state": "measured", "sentence": ""}
    return {"state": "rejected", "sentence": f"{cell.name} is rejected: {problem}."}
