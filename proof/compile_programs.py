"""Lowers and compiles what a boot asked for, one program after another."""

import inspect
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from proof.cache_keys import Known, WatchedKeys, must_be_whole
from proof.engine_boot import Boot, Request, on_chip
from proof.environment import Refused
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
"""What a program adds that the boot has compiled before."""


def choose(boot: Boot, *, quick: bool) -> list[Request]:
    """What to compile: everything, or of each kind the one with the largest arguments."""
    if not quick:
        return boot.requests
    largest: dict[str, Request] = {}
    for request in boot.requests:
        best = largest.get(request.kind)
        if best is None or own_bytes(boot, request) > own_bytes(boot, best):
            largest[request.kind] = request
    return list(largest.values())


def compile_all(
    boot: Boot, requests: Sequence[Request], folder: WorkFolder, progress: Callable[[Record], None]
) -> list[Record]:
    """A record of each request, from the folder where it is finished, else compiled now and put there.

    Other processes may work in the same folder: each program is one process's at a time, and what another one
    has begun is waited for, or taken over when that process dies.
    """
    shown: set[int] = set()
    while True:
        for request in requests:
            with folder.claimed(request.number) as mine:
                if mine and request.number not in folder.records():
                    folder.add(compile_one(boot, request, folder))
            done = folder.records()
            if request.number in done and request.number not in shown:
                shown.add(request.number)
                progress(done[request.number])
        if len(shown) == len(requests):
            return once([done[request.number] for request in requests])
        time.sleep(1)


def once(records: Sequence[Record]) -> list[Record]:
    """The same with each key compiled once: two processes may have had the same program at the same time."""
    found: set[str] = set()
    result: list[Record] = []
    for record in records:
        program = record.program
        if program and program.code_bytes and record.key in found:
            record = record.model_copy(update={"program": program.model_copy(update=NOTHING)})
        elif program and program.code_bytes:
            found.add(record.key)
        result.append(record)
    return result


def compile_one(boot: Boot, request: Request, folder: WorkFolder) -> Record:
    """Lower and compile one program. One whose key has a record, or that this process has compiled under
    another name, is not compiled again, as on a real boot, which finds it in the cache.

    Raises Refused when the cache could not keep it, and what the machine is short of.
    """
    import jax

    fn, arguments, named = jitted(boot, request)
    common = {"number": request.number, "kind": request.kind, "shape": request.shape}
    measured, lower_seconds, began = NOTHING, 0.0, time.monotonic()
    with jax.set_mesh(boot.runner.mesh), WatchedKeys(folder) as found:
        try:
            lowered = fn.lower(*arguments, **named)
            lower_seconds, began = time.monotonic() - began, time.monotonic()
            compiled = lowered.compile()
            if found:
                must_be_whole(folder.cache / f"{found[-1]}-cache")
                measured = _measured(compiled, time.monotonic() - began)
        except Known:
            pass
        except (Refused, MemoryError, OSError):
            raise
        except Exception as error:
            # Lowering and compiling raise whatever a kernel raises; the reason belongs into the report.
            return Record(**common, refused=_reason(error))
    program = Program(
        kind=request.kind,
        shape=request.shape,
        argument_bytes=own_bytes(boot, request),
        lower_seconds=round(lower_seconds, 2),
        **measured,
    )
    # JAX asks for no key where it has the very program in memory.
    return Record(**common, key=found[-1] if found else "", program=program)


def key_of(boot: Boot, request: Request) -> str:
    """The name under which JAX's compile cache keeps a program; lowers it, compiles nothing."""
    import jax

    fn, arguments, named = jitted(boot, request)
    with jax.set_mesh(boot.runner.mesh), WatchedKeys(None) as found:
        try:
            fn.lower(*arguments, **named).compile()
        except Known:
            return found[-1]
    raise AssertionError(f"{request.kind} was compiled without asking the cache")


def own_bytes(boot: Boot, request: Request) -> int:
    """Arguments on one chip besides the weights and the KV cache, which are there anyway."""
    return sum(on_chip(leaf) for leaf in own_arguments(boot, request))


def own_arguments(boot: Boot, request: Request) -> list[Any]:
    """The arrays among a request's arguments that are neither weights nor KV cache."""
    import jax

    resident = {id(leaf) for leaf in jax.tree.leaves((boot.runner.state_leaves, boot.runner.kv_caches))}
    _, arguments, named = jitted(boot, request)
    leaves = jax.tree.leaves((arguments, named))
    return [leaf for leaf in leaves if isinstance(leaf, jax.ShapeDtypeStruct) and id(leaf) not in resident]


def jitted(boot: Boot, request: Request) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """The jitted function inside what the boot calls, with the arguments that it gets there.

    Five kinds are plain functions around a jitted one, and on a real boot are compiled when they are called.
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
        f"{request.kind} is a {name}, in which proof/compile_programs.py finds no program"
    )


def _measured(compiled: Any, seconds: float) -> dict[str, Any]:
    """Sizes on one chip in bytes, the compiler's own count of work and its time, as fields of Program."""
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


def calls(boot: Boot, records: Sequence[Record]) -> Iterator[Calls]:
    """The boot's batches of warm-up calls: `CompilationManager` keeps the arguments of every call until the
    batch is flushed. What a call holds beyond them is known for the programs among `records`."""
    peaks = {record.number: record.program.peak_bytes for record in records if record.program}
    for flush in sorted({request.flush for request in boot.requests} - {-1}):
        batch = [request for request in boot.requests if request.flush == flush]
        held: dict[int, int] = {}
        by_kind = dict.fromkeys((request.kind for request in batch), 0)
        for request in batch:
            for leaf in own_arguments(boot, request):
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
    """Says after each program how many are done, how long it took and how long the rest may take."""

    def __init__(self, requests: Sequence[Request], done: Mapping[int, Record]) -> None:
        self.total = len(requests)
        self.before = {request.number for request in requests} & set(done)
        self.finished = 0
        self.began = time.monotonic()
        # A whole model takes about as long as thirty of the others.
        self.weight = {request.number: 30 if "backbone" in request.kind else 1 for request in requests}
        self.spent = 0

    def show(self, record: Record) -> None:
        """One line, at once; a program that was finished before the run has none."""
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
