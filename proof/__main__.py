"""Command line of the proof: `python -m proof` in the model server's Python environment, run by `make prove`.

Compiles every program that a boot of this engine would compile, for the slice and without a TPU, and reports
whether the engine fits. After an interruption the same command continues where it stopped.
"""

import argparse
import contextlib
import ctypes
import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from config.selection import Selection, add_options, from_options
from proof import bake, environment
from proof.environment import ProofError
from serving.compilation import proofs
from serving.compilation.fingerprint import fingerprint
from serving.compilation.proof import Proof
from serving.findings import findings, refuse_errors
from serving.messages.arguments import Parser

PARTIAL = (
    "(A part of the engine: --quick, --layers or --config. Programs that were left out are not counted.)"
)

FOR_THE_COMPILER = ("programs-do-not-fit",)
"""Codes of errors that come from an estimate, which the proof replaces by the compiler's sizes. All other
errors end a proof before it starts, with the sentence of `pulumi preview`."""

STACKS = Path(__file__).resolve().parent.parent
"""Folder of the stack files."""

PR_SET_PDEATHSIG = 1

PROCESS_BYTES = 6 * 10**9
"""Memory of one process while it compiles 30 layers: 4.6 GB were measured."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0, 1 when the engine does not fit the slice, 2 when there is no proof."""
    options = _parser().parse_args(arguments)
    if options.helper:
        _end_with(os.getppid())
    try:
        return _prove(options)
    except (ProofError, ValueError) as refused:
        print(f"\n{refused}", file=sys.stderr)
        return 2
    except (OSError, MemoryError) as error:
        lack = str(error) or type(error).__name__
        print(
            f"\nThe machine lacks memory or disk ({lack}): free some, and run the same command again, which "
            "continues from here.",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted. The same command continues from here.", file=sys.stderr)
        return 130


def _parser() -> Parser:
    parser = Parser(prog="make prove, or python -m proof", description=__doc__)
    add_options(parser)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="only the largest program of each kind; the proof stays in --work",
    )
    parser.add_argument(
        "--processes",
        type=int,
        default=max(1, min(len(os.sched_getaffinity(0)), free_memory() // PROCESS_BYTES)),
        help="number of processes; default: as many as processors and free memory allow",
    )
    parser.add_argument("--helper", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--layers", type=int, help="only this many layers; the proof stays in --work")
    parser.add_argument(
        "--config", type=Path, help="config.json of a checkpoint, for a model not in the table"
    )
    parser.add_argument(
        "--bake", action="store_true", help="also pack the compile cache for --stack's servers"
    )
    parser.add_argument("--files", type=Path, required=True, help="folder with a tokenizer and processor")
    parser.add_argument("--work", type=Path, required=True, help="folder for finished programs")
    parser.add_argument("--out", type=Path, default=proofs.FOLDER, help="folder for the finished proof")
    return parser


def _prove(options: argparse.Namespace) -> int:
    selection = _selection(options)
    candidate = selection.candidate
    versions = environment.versions()
    graph = fingerprint(candidate, image="").graph_digest
    from proof import checkpoint
    from proof.work_folder import WorkFolder

    configuration = checkpoint.configuration(candidate.model, options.files, options.config)
    folder = WorkFolder(options.work, graph, {"versions": versions, "config": configuration})
    if not options.helper:
        folder.forget_refusals()
        checkpoint.write(configuration, options.files, folder.checkpoint)
    environment.prepare(candidate.engine.environment(), candidate.accelerator, folder.cache)
    with _helpers(0 if options.helper else options.processes - 1):
        proof, records = _compiled(
            selection, folder, graph, versions, quick=options.quick, silent=options.helper
        )
    if options.helper:
        return 0
    from proof import memory_chart, report
    from proof.work_folder import write_whole

    out = options.out if _whole(options) else folder.path / "reports"
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / f"{graph}.json", rendered(proof))
    write_whole(out / f"{graph}.svg", memory_chart.draw(selection, proof))
    print(report.table(selection, proof))
    if not _whole(options):
        print(PARTIAL)
    print(f"\n{out / graph}.json and .svg")
    fits = report.fits(selection, proof)
    if options.bake and fits:
        archive = bake.pack(selection, proof, records, folder, options.work / "baked")
        print(f"\n{archive}, {archive.stat().st_size / 1e6:.0f} MB. docs/proof.md says how to try it.")
    return int(not fits)


def _selection(options: argparse.Namespace) -> Selection:
    (selection,) = from_options(options, STACKS)
    slice_, engine = selection.candidate.accelerator, selection.candidate.engine
    if slice_.is_stand_in:
        raise ValueError(
            f"accelerator is {slice_.name}, the CPU stand-in, for which no TPU program is compiled: name a "
            "real slice."
        )
    if engine.tensor_parallel_size != slice_.chips:
        raise ValueError(
            f"engine.tensor_parallel_size is {engine.tensor_parallel_size} and "
            f"{slice_.name} has {slice_.chips} chips: a proof uses all of them; "
            f"pass --set tensor_parallel_size={slice_.chips}."
        )
    refuse_errors(
        finding for finding in findings(selection.candidate) if finding.code not in FOR_THE_COMPILER
    )
    if options.bake:
        bake.check(selection, whole=_whole(options))
    if options.layers:
        model = selection.candidate.model
        period = min(model.full_attention_period, options.layers)
        model = dataclasses.replace(model, layers=options.layers, full_attention_period=period)
        return dataclasses.replace(selection, candidate=dataclasses.replace(selection.candidate, model=model))
    return selection


def _whole(options: argparse.Namespace) -> bool:
    """Returns whether the proof is of the whole engine; other proofs stay in the work folder."""
    return not (options.quick or options.layers or options.config)


def _compiled(
    selection: Selection, folder: Any, graph: str, versions: dict[str, str], *, quick: bool, silent: bool
) -> tuple[Proof, list[Any]]:
    from proof import compile_programs, engine_boot, patches

    began = time.monotonic()
    slice_ = selection.candidate.accelerator
    _say(f"-> booting vllm-tpu over the shapes of {selection.candidate.model.name}", silent)
    patches.name_the_chip(slice_)
    import tpu_inference  # noqa: F401  sets flags that libtpu reads when it is loaded

    devices = engine_boot.slice_devices(slice_)
    booted = engine_boot.boot(selection.candidate.engine, folder.checkpoint, slice_, devices)
    _say(f"   {len(booted.requests)} programs requested, {time.monotonic() - began:.0f} s", silent)
    requests = compile_programs.choose(booted, quick=quick)
    progress = compile_programs.Progress(requests, folder.records())
    show = (lambda _: None) if silent else progress.show
    records = compile_programs.compile_all(booted, requests, folder, show)
    programs = tuple(record.program for record in records if record.program)
    if not programs:
        raise ProofError(
            f"The compiler refuses every program, the first for this reason: {records[0].refused}"
        )
    proof = Proof(
        name=selection.name,
        graph=graph,
        compiled=datetime.now(UTC).date().isoformat(),
        versions=versions,
        weights=dict(sorted(booted.weights.items(), key=lambda group: -group[1])),
        pages=booted.pages,
        kv_bytes=booted.kv_bytes,
        calls=tuple(compile_programs.calls(booted, records)),
        programs=programs,
        refused=tuple(
            f"{record.kind} ({record.shape}): {record.refused}" for record in records if record.refused
        ),
    )
    return proof, records


def _say(text: str, silent: bool) -> None:
    if not silent:
        print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def _helpers(number: int) -> Iterator[None]:
    """Runs `number` more processes in the same folder. They end with this one, even if it is killed."""
    command = [sys.executable, "-m", "proof", *sys.argv[1:], "--helper"]
    started = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(number)
    ]
    try:
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait()


def _end_with(parent: int) -> None:
    """Makes the kernel end this process when `parent` ends, even when it is killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent or parent == 1:
        sys.exit(0)


def free_memory() -> int:
    """Returns the bytes of memory that new processes can use on this machine."""
    lines = Path("/proc/meminfo").read_text("utf-8").splitlines()
    values = dict(line.split(":") for line in lines)
    return int(values["MemAvailable"].split()[0]) * 1024


def rendered(proof: Proof) -> str:
    """Returns the proof as JSON with one line per program, so that a diff shows the changed programs."""
    whole = proof.model_copy(update={"programs": ()}).model_dump_json(indent=1)
    lines = ",\n".join(f"  {program.model_dump_json()}" for program in proof.programs)
    return whole.replace('"programs": []', f'"programs": [\n{lines}\n ]') + "\n"


if __name__ == "__main__":
    sys.exit(main())
