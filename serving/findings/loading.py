"""Rules about loading the weights."""

from collections.abc import Iterator

from serving.compilation.candidate import Candidate, Rule
from serving.memory.problems import host_problem
from serving.messages.finding import Finding
from serving.messages.units import GIB


def host_memory(candidate: Candidate) -> Iterator[Finding]:
    """Refuses a host that cannot hold the server while it loads.

    serving/hardware/host_resources.py has the assumptions; a pod asks for exactly that memory.
    """
    problem = host_problem(candidate)
    if problem is not None:
        yield problem


def prefetch(candidate: Candidate) -> Iterator[Finding]:
    """Reports the cost of reading all files first.

    vllm/model_executor/model_loader/weight_utils.py, `_prefetch_all_checkpoints`.
    """
    if candidate.engine.safetensors_load_strategy != "prefetch":
        return
    off = candidate.unset("safetensors_load_strategy")
    weights = f"{candidate.model.weight_bytes / 1e9:.1f} GB"
    memory = candidate.accelerator.host_memory_bytes
    if memory is not None and memory < candidate.model.weight_bytes:
        yield candidate.finding(
            "warning",
            "prefetch-without-memory",
            "safetensors_load_strategy",
            f"the page cache would have to hold {weights} on a host with {memory / GIB:.0f} GiB",
            off,
        )
    else:
        yield candidate.finding(
            "note",
            "prefetch",
            "safetensors_load_strategy",
            f"it reads {weights} into the page cache, which a memory limit below that defeats; it helps on "
            f"network storage only",
            off,
            otherwise="keep it where the weights are on network storage",
        )


RULES: tuple[Rule, ...] = (host_memory, prefetch)
