"""Sizes and durations as messages and tables show them."""

MIB = 2**20
"""Bytes of a MiB."""

GIB = 2**30
"""Bytes of a GiB."""


def gib(size: float) -> str:
    """Returns `size` bytes in GiB with two decimals; in MiB with one below a tenth of a GiB."""
    return f"{size / GIB:.2f} GiB" if abs(size) >= GIB / 10 or size == 0 else f"{size / MIB:.1f} MiB"


def duration(seconds: float) -> str:
    """Returns `seconds` as whole seconds below two minutes, and as whole minutes from there."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def span(low: float, high: float) -> str:
    """Returns two durations as one: `13 to 26 min`, `90 s to 3 min`."""
    (first, unit), last = duration(low).split(), duration(high)
    if last == f"{first} {unit}":
        return last
    return f"{first} to {last}" if last.endswith(f" {unit}") else f"{first} {unit} to {last}"
