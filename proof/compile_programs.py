"""Compiler of the programs that a boot requests, one after another."""

import inspect
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from proof.cache_keys import Known, WatchedKeys, must_be_whole
from proof.engine_boot import BootedEngine, Request, on_chip
from proof.environment import ProofError
from proof.work_folder import Record, WorkFolder
from serving.compilation.proof import Calls, Program
from serving.messages.units import duration

NOTHING: dict[str, Any] = {
    "code_bytes": 0,
    "peak_bytes": 0,
    "flops": 0,
    "hbm_bytes": 0,
    "compile_seconds": 0.0,
}
"""Sizes and seconds of a program that the boot has compiled before under another name."""


def choose(boot: BootedEngine, *, quick: bool) -> list[Request]:
    """Returns all requests, or with `quick` only the one with the largest arguments of each kind."""
    if not quick:
        return boot.requests
    largest: dict[str, Request] = {}
    for request in boot.requests:
        best = largest.get(request.kind)
        if best is None or argument_bytes(boot, request) > argument_bytes(boot, best):
            largest[request.kind] = request
    return list(largest.values())


def compile_all(
    boot: BootedEngine, requests: Sequence[Request], folder: WorkFolder, progress: Callable[[Record], None]
) -> list[Record]:
    """Returns the record of each request, from the folder or compiled now.

    Other processes may work in the same folder. One process compiles a program at a time; the others wait for
    its record, or compile the program when that process dies.
    """
    shown: set[int] = set()
    done = folder.records()
    while True:
        for request in requests:
            with folder.claimed(request.number) as claimed:
                if claimed and request.number not in folder.records():
                    folder.add(compile_one(boot, request, folder))
            done = folder.records()
            if request.number in done and request.number not in shown:
                shown.add(request.number)
                progress(done[request.number])
        if len(shown) == len(requests):
            return once([done[request.number] for request in requests])
        time.sleep(1)


def once(records: Sequence[Record]) -> list[Record]:
    """Returns `records` with the sizes of each key counted once.

    Two processes may have compiled the same program at the same time.
    """
    counted: set[str] = set()
    result: list[Record] = []
    for record in records:
        program = record.program
        if program and program.code_bytes and record.key in counted:
            record = record.model_copy(update={"program": program.model_copy(update=NOTHING)})
        elif program and program.code_bytes:
            counted.add(record.key)
        result.append(record)
    return result


def compile_one(boot: BootedEngine, request: Request, folder: WorkFolder) -> Record:
    """Lowers and compiles one program, and returns its record.

    A program whose key has a record, or that this process has compiled under another name, is not compiled
    again: a real boot finds it in the cache. Raises ProofError when the cache has no whole entry afterwards,
    and MemoryError or OSError when the machine lacks memory or disk.
    """
    import jax

    fn, arguments, named = jitted(boot, request)
    common = {"number": request.number, "kind": request.kind, "shape": request.shape}
    measured, lower_seconds, began = NOTHING, 0.0, time.monotonic()
    with jax.set_mesh(boot.runner.mesh), WatchedKeys(folder) as keys:
        try:
            lowered = fn.lower(*arguments, **named)
            lower_seconds, began = time.monotonic() - began, time.monotonic()
            compiled = lowered.compile()
            if keys:
                must_be_whole(folder.cache / f"{keys[-1]}-cache")
                measured = _measured(compiled, time.monotonic() - began)
        except Known:
            pass
        except (ProofError, MemoryError, OSError):
            raise
        except Exception as error:
            # Lowering and compiling raise whatever a kernel raises; the report shows the reason.
            return Record(**common, refused=_reason(error))
    program = Program(
        kind=request.kind,
        shape=request.shape,
        argument_bytes=argument_bytes(boot, request),
        lower_seconds=round(lower_seconds, 2),
        **measured,
    )
    # JAX computes no key for a program that it has in memory.
    return Record(**common, key=keys[-1] if keys else "", program=program)


def key_of(boot: BootedEngine, request: Request) -> str:
    """Returns a program's key in JAX's compile cache. Lowers the program and does not compile it."""
    import jax

    fn, arguments, named = jitted(boot, request)
    with jax.set_mesh(boot.runner.mesh), WatchedKeys(None) as keys:
        try:
            fn.lower(*arguments, **named).compile()
        except Known:
            return keys[-1]
    raise AssertionError(f"{request.kind} was compiled without asking the cache")


def argument_bytes(boot: BootedEngine, request: Request) -> int:
    """Returns the bytes on one chip of a request's arguments, without weights and KV cache."""
    return sum(on_chip(leaf) for leaf in added_arguments(boot, request))


def added_arguments(boot: BootedEngine, request: Request) -> list[Any]:
    """Returns the arrays among a request's arguments that are neither weights nor KV cache."""
    import jax

    resident = {id(leaf) for leaf in jax.tree.leaves((boot.runner.state_leaves, boot.runner.kv_caches))}
    _, arguments, named = jitted(boot, request)
    leaves = jax.tree.leaves((arguments, named))
    return [leaf for leaf in leaves if isinstance(leaf, jax.ShapeDtypeStruct) and id(leaf) not in resident]


def jitted(boot: BootedEngine, request: Request) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """Returns the jitted function that the boot's call reaches, with its arguments there.

    Five kinds of program are plain functions around a jitted one; a real boot compiles them when it calls
    them. Raises NotImplementedError for any other function.
    """
    import jax
    from jax.sharding import NamedSharding, PartitionSpec
    from tpu_inference.utils import to_jax_dtype

    fn, arguments, named = request.fn, request.arguments, dict(request.named)
    name = getattr(fn, "__name__", type(fn).__name__)
    if hasattr(fn, "lower"):
        return fn, arguments, named
    if name == "wrapped_model_fn":
        # model_loader.get_flax_model: the step function for these caches' shardings.
        resolve = inspect.getclosurevars(fn).nonlocals["_resolve_step_fn"]
        return resolve(arguments[1], True), arguments, named
    if name == "run_embed_input_ids":
        # The same: `flatten_pad_mm_embeds` makes one array of the images' embeddings.
        inner = inspect.getclosurevars(fn).nonlocals["jitted_embed_input_ids"]
        leaves, tokens, images = arguments
        if images is not None:
            # Concatenated and padded arrays stay sharded as the first one is.
            first, shape = images[0], (tokens.shape[0], images[0].shape[1])
            images = jax.ShapeDtypeStruct(shape, first.dtype, sharding=first.sharding)
        return inner, (leaves, tokens, images), named
    if name == "RejectionSampler":
        names = list(inspect.signature(fn.__call__).parameters)
        return type(fn).forward, (fn,), dict(zip(names, arguments, strict=False)) | named
    if name == "_capture_budget_graph":
        # mm_encoder_jit_manager: the budget's template, as arrays that the boot makes under its mesh.
        manager = fn.__self__
        model = manager.model._model
        template = manager.budget_templates[arguments[0]]
        whole = NamedSharding(boot.runner.mesh, PartitionSpec())
        inputs = {
            key: jax.ShapeDtypeStruct(tuple(tensor.shape), to_jax_dtype(tensor.dtype), sharding=whole)
            for key, tensor in template.items()
        }
        return type(model).encoder_cudagraph_forward, (model, inputs), {}
    raise NotImplementedError(
        f"{request.kind} is a {name}, and proof/compile_programs.py knows no program in it"
    )


def _measured(compiled: Any, seconds: float) -> dict[str, Any]:
    """Returns fields of Program: bytes on one chip, the compiler's counts of work, and its seconds."""
    memory, cost = compiled.memory_analysis(), compiled.cost_analysis() or {}
    held = memory.temp_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes
    return {
        "code_bytes": memory.generated_code_size_in_bytes,
        "peak_bytes": max(held, 0),
        "flops": max(0, int(cost.get("flops", 0))),
        "hbm_bytes": max(0, int(cost.get("bytes accessed", 0))),
        "compile_seconds": round(seconds, 2),
    }


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}"


def calls(boot: BootedEngine, records: Sequence[Record]) -> Iterator[Calls]:
    """Yields the boot's batches of warm-up calls.

    `CompilationManager` holds the arguments of every call until it flushes the batch. The bytes that a call
    holds beyond its arguments come from `records`; a program without a record counts as 0.
    """
    peaks = {record.number: record.program.peak_bytes for record in records if record.program}
    for flush in sorted({request.flush for request in boot.requests} - {-1}):
        batch = [request for request in boot.requests if request.flush == flush]
        held: dict[int, int] = {}
        by_kind = dict.fromkeys((request.kind for request in batch), 0)
        for request in batch:
            for leaf in added_arguments(boot, request):
                if id(leaf) not in held:
                    held[id(leaf)] = on_chip(leaf)
                    by_kind[request.kind] += held[id(leaf)]
        yield Calls(
            kind=max(by_kind, key=lambda kind: by_kind[kind]),
            calls=len(batch),
            held_bytes=sum(held.values()),
            peak_bytes=max((peaks.get(request.number, 0) for request in batch), default=0),
        )


class Progress:
    """Progress on stderr: after each program, how many are done, its seconds, and an estimate of the rest."""

    def __init__(self, requests: Sequence[Request], done: Mapping[int, Record]) -> None:
        self.total = len(requests)
        self.before = {request.number for request in requests} & set(done)
        self.finished = 0
        self.began = time.monotonic()
        # A whole model takes about as long as thirty of the others.
        self.weight = {request.number: 30 if "backbone" in request.kind else 1 for request in requests}
        self.spent = 0

    def show(self, record: Record) -> None:
        """Prints one line for `record`, unless its program was finished before this run."""
        self.finished += 1
        if record.number in self.before:
            return
        elapsed = time.monotonic() - self.began
        self.spent += self.weight[record.number]
        rest = sum(self.weight.values()) - self.spent - sum(self.weight[number] for number in self.before)
        took = record.program.lower_seconds + record.program.compile_seconds if record.program else 0
        print(
            f"   {self.finished}/{self.total} {record.kind} {record.shape}: "
            f"{'refused' if record.refused else f'{took:.1f} s'}; {duration(elapsed)} elapsed, about "
            f"{duration(elapsed / self.spent * rest)} to go",
            file=sys.stderr,
            flush=True,
        )
