"""Simulates the cells of a ladder in two processes, and stores each finished cell so that a sweep can go on.

The cells of a sweep are lines of one file, named by everything on which they depend. A second run of the same
sweep reads them and simulates the others.
"""

import hashlib
import json
import multiprocessing
import signal
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

from config.traffic.load import Load
from config.traffic.simulation import digest, engine_parts
from planner import answer
from planner.clock import simulate_engine
from planner.constants import Fitted
from planner.step_time import timer
from planner.step_work import Vision, prompt_tokens_of_image, shape
from serving.compilation.candidate import Candidate
from serving.compilation.proof import Proof
from serving.engine.config import EngineConfig
from serving.hardware.accelerators import Accelerator
from serving.models.spec import ModelSpec

PROCESSES = 2

DECODING = 16
"""Weight of an answer's token, beside 1 of a prompt's, in the order of the cells and in the estimate of the
seconds that are left. A rough choice, on which no result depends."""


def check(candidate: Candidate, loads: Sequence[Load], pages: int) -> None:
    """Raises ValueError, one sentence, for an engine that is not modeled or a load that it cannot serve."""
    vision = shape(candidate).vision
    most = max(load.images for load in loads)
    if most:
        _check_images(candidate, most, vision)
    longest = max(load.longest + load.images * prompt_tokens_of_image(candidate) for load in loads)
    if longest > candidate.engine.max_model_len:
        raise ValueError(
            f"The load has requests of {longest:,} tokens, prompt and answer, and engine.max_model_len is "
            f"{candidate.engine.max_model_len:,}: send shorter ones, or raise it to {longest:,} or more."
        )
    # vLLM keeps one page for itself.
    room = (pages - 1) * candidate.runtime.block_size
    if room < longest:
        raise ValueError(
            f"The load has requests of {longest:,} tokens, and the KV cache has "
            f"{room:,} for all: send shorter ones, or take a larger slice."
        )


def _check_images(candidate: Candidate, images: int, vision: Vision | None) -> None:
    """Raises ValueError, one sentence, for images that the engine refuses or whose program is not known."""
    limits = candidate.engine.limit_mm_per_prompt
    allowed = limits.image if limits else images
    if not candidate.runtime.multimodal or allowed < images:
        raise ValueError(
            f"The load has images={images}, and a request of this engine takes "
            f"{allowed if candidate.runtime.multimodal else 0}: send fewer, or raise "
            "engine.limit_mm_per_prompt.image."
        )
    if vision is None:
        raise ValueError(
            "The load has images, and no proof has a vision program of this engine: choose a phase with "
            "vision_programs and its own image_tokens, or leave images out."
        )


def key(candidate: Candidate, pages: int, fitted: Fitted, version: str) -> str:
    """Returns a digest of everything on which results depend, apart from the loads; `version` is vLLM's."""
    return digest({**engine_parts(candidate, pages), "constants": asdict(fitted.constants), "vllm": version})


def cells_file(folder: Path, candidate: Candidate, pages: int, fitted: Fitted, version: str) -> Path:
    """Returns the file of an engine's finished cells."""
    return folder / key(candidate, pages, fitted, version) / "cells.jsonl"


def sweep(
    candidate: Candidate,
    pages: int,
    fitted: Fitted,
    loads: Sequence[Load],
    store: Path,
    tell: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Returns the results in the order of the loads. `tell` gets a line for each cell that is simulated.

    `store` is the file of finished cells, which grows with each.
    """
    names = [_name(load) for load in loads]
    known = _read(store)
    done = {name: known[name] for name in names if name in known}
    if done:
        tell(f"   {len(done)} of {len(loads)} cells are already in {store}")
    # The long ones first, so that both processes end at about the same time.
    left = [load for load, name in zip(loads, names, strict=True) if name not in done]
    left.sort(key=_size, reverse=True)
    if left:
        store.parent.mkdir(parents=True, exist_ok=True)
        tasks = [_task(candidate, pages, fitted, load) for load in left]
        began, total, ready = time.monotonic(), sum(map(_size, left)), 0
        with store.open("a", encoding="utf-8") as file:
            # An interruption may have cut the last line.
            file.write("\n")
            for load, cell in _simulated(tasks):
                done[_name(load)] = cell
                file.write(json.dumps({"load": _name(load), "result": cell}) + "\n")
                file.flush()
                ready += _size(load)
                rest = (time.monotonic() - began) * (total - ready) / ready
                tell(f"   {len(done):>3}/{len(loads)}  {cell['cell']}, about {rest:.0f} s left")
    return [done[name] for name in names]


@dataclass(frozen=True)
class Task:
    """One load of a sweep, in parts that another process can take."""

    accelerator: Accelerator
    model: ModelSpec
    engine: EngineConfig
    pages: int
    fitted: Fitted
    load: Load
    proof: Proof | None


def _task(candidate: Candidate, pages: int, fitted: Fitted, load: Load) -> Task:
    parts = (candidate.accelerator, candidate.model, candidate.engine)
    return Task(*parts, pages, fitted, load, candidate.proof)


def _simulated(tasks: Sequence[Task]) -> Iterator[tuple[Load, dict[str, Any]]]:
    """Yields each load with its result as soon as it is there."""
    if len(tasks) == 1:
        yield one(tasks[0])
        return
    with pool(PROCESSES) as processes:
        yield from processes.imap_unordered(one, tasks)


@contextmanager
def pool(size: int) -> Generator[Pool]:
    """Yields processes of fresh interpreters, because vLLM has threads, which a fork would lose.

    They are daemons, and so may not start the process with which the import of tpu_info looks for a chip.
    """
    # An interrupt reaches every process of a terminal. Those of the pool inherit that they ignore it, and
    # this one ends them; otherwise each would print a traceback.
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        processes = multiprocessing.get_context("spawn").Pool(size)
    finally:
        signal.signal(signal.SIGINT, handler)
    with processes:
        yield processes


def one(task: Task) -> tuple[Load, dict[str, Any]]:
    """Returns a load with its result. Runs in the model server's environment."""
    from planner.vllm_scheduler import VllmScheduler

    candidate = Candidate(task.accelerator, task.model, task.engine, task.proof)
    seconds = timer(shape(candidate), candidate.accelerator, task.fitted.constants)
    scheduler = VllmScheduler(candidate, task.pages)
    trace = simulate_engine(candidate, task.load, scheduler, seconds)
    return task.load, answer.result(task.load, trace, task.fitted)


def stored(
    candidate: Candidate, pages: int, fitted: Fitted, store: Path, tell: Callable[[str], None]
) -> Callable[[Load], dict[str, Any]]:
    """Returns the function from a load with a rate to its result.

    It takes finished cells from `store` and adds to them. `tell` gets a line for each call.
    """

    def simulated(load: Load) -> dict[str, Any]:
        tell(f"   one server with {load.rate:g} requests a second, {load.requests:,} of them")
        (result,) = sweep(candidate, pages, fitted, [load], store, lambda line: None)
        return result

    return simulated


def _size(load: Load) -> int:
    return load.requests * (load.prompt.median + DECODING * load.answer.median)


def _name(load: Load) -> str:
    """Returns all that a load is; of one with a file, which may be long, a digest."""
    text = json.dumps(asdict(load), sort_keys=True)
    return text if load.recording is None else hashlib.sha256(text.encode()).hexdigest()


def _read(store: Path) -> dict[str, dict[str, Any]]:
    """Returns the finished cells. A last line that an interruption cut is left out."""
    cells: dict[str, dict[str, Any]] = {}
    if store.is_file():
        for line in store.read_text("utf-8").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            cells[entry["load"]] = entry["result"]
    return cells
