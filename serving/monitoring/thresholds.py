"""Limits that the alerts and objectives of one stack compare with."""

from dataclasses import dataclass

FIRST_TOKEN_BUCKETS = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
    *(20.0, 40.0, 80.0, 160.0, 640.0, 2560.0),
)
"""Upper ends in seconds of the buckets of vllm:time_to_first_token_seconds (vllm 0.32, v1/metrics/buckets.py,
TIME_TO_FIRST_TOKEN_BUCKETS)."""


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Limits of one stack. A limit that is None has no alert."""

    servers: int
    requests_at_once: int
    """Requests that the engine of one server takes at once (--max-num-seqs)."""
    boot_seconds: int
    """Seconds from a server's start to its traffic, at most (serving/startup/timeouts.py)."""
    free_hbm_bytes: int
    """HBM of a chip that the plan leaves free beside weights, KV cache, code and the largest buffer."""
    first_token_seconds: float | None
    """Upper end of a bucket of FIRST_TOKEN_BUCKETS."""
    has_archive: bool
    """True for a release whose record names the archive of its compile cache."""
    key_days: int | None
    """Days after which the API key should be replaced."""


def first_token_bucket(milliseconds: float) -> float:
    """Returns the upper end in seconds of the bucket that holds a limit of the time to the first token.

    A histogram counts requests only up to the ends of its buckets. So a limit between two of them is read at
    the upper one: whatever is slower than that is slower than the limit. Raises ValueError for a limit above
    the last bucket.
    """
    seconds = milliseconds / 1000
    for bucket in FIRST_TOKEN_BUCKETS:
        if seconds <= bucket:
            return bucket
    raise ValueError(
        f"acceptance.limits.time_to_first_token_ms is {milliseconds:,.0f}, and the last bucket of vLLM's "
        f"histogram ends at {FIRST_TOKEN_BUCKETS[-1]:,.0f} s, so no alert could see a slower request; set at "
        f"most {FIRST_TOKEN_BUCKETS[-1] * 1000:,.0f}, or remove the limit."
    )
