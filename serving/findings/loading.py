"""Rules about loading the weights."""

from collections.abc import Iterator

from serving.compilation.candidate import Rule, Subject
from serving.messages.finding import Finding


def prefetch(s: Subject) -> Iterator[Finding]:
    if s.engine.safetensors_load_strategy != "prefetch":
        return
    memory = s.accelerator.host_memory_bytes
    if memory is not None and memory < s.model.weight_bytes:
        yield s.finding(
            "warning",
            "prefetch-without-memory",
            "safetensors_load_strategy",
            f"the page cache would have to hold {s.model.weight_bytes / 1e9:.1f} GB on a host with "
            f"{memory / 1e9:.0f} GB",
            "remove it",
        )
    else:
        yield s.finding(
            "note",
            "prefetch",
            "safetensors_load_strategy",
            f"it reads {s.model.weight_bytes / 1e9:.1f} GB into the page cache, which a memory limit below "
            f"that defeats; it helps on network storage only",
            "remove it where weights lie on a local disk",
        )


RULES: tuple[Rule, ...] = (prefetch,)
