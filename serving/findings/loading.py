"""Rules about loading the weights."""

from collections.abc import Iterator

from serving.compilation.candidate import Candidate, Rule
from serving.messages.finding import Finding


def prefetch(candidate: Candidate) -> Iterator[Finding]:
    if candidate.engine.safetensors_load_strategy != "prefetch":
        return
    memory = candidate.accelerator.host_memory_bytes
    if memory is not None and memory < candidate.model.weight_bytes:
        yield candidate.finding(
            "warning",
            "prefetch-without-memory",
            "safetensors_load_strategy",
            f"the page cache would have to hold {candidate.model.weight_bytes / 1e9:.1f} GB on a host with "
            f"{memory / 1e9:.0f} GB",
            "remove it",
        )
    else:
        yield candidate.finding(
            "note",
            "prefetch",
            "safetensors_load_strategy",
            f"it reads {candidate.model.weight_bytes / 1e9:.1f} GB into the page cache, which a memory limit "
            f"below that defeats; it helps on network storage only",
            "remove it where weights lie on a local disk",
        )


RULES: tuple[Rule, ...] = (prefetch,)
