"""Check of the memory in use on the chips, as libtpu reports it while a server runs."""

import asyncio

import grpc

from agent.sidecar import libtpu
from agent.sidecar.client import Failed
from agent.sidecar.run import Run, Skipped, Warned

TIMEOUT_SECONDS = 5.0
UTILIZATION = 0.92
"""vLLM's own --gpu-memory-utilization (vllm/config/cache.py)."""

TOLERANCE = 0.05
"""Share of a chip's memory by which its use may differ from the plan: programs are outside of the KV pool."""

GIB = 2**30


async def hbm(run: Run) -> str:
    """Compares the memory in use with --gpu-memory-utilization; another value than planned is a warning."""
    try:
        total, used = await asyncio.to_thread(lambda: libtpu.memory(TIMEOUT_SECONDS))
    except grpc.RpcError:
        raise Skipped(
            "The memory in use is not reported here: libtpu does not answer on port 8431."
        ) from None
    except ValueError as problem:
        raise Warned(f"libtpu's report of the memory in use cannot be read ({problem}).") from None
    chips = sorted(total.keys() & used.keys())
    if not chips:
        raise Skipped("The memory in use is not reported here: libtpu lists no chip.")
    shares = {chip: used[chip] / total[chip] for chip in chips if total[chip]}
    if len(shares) < len(chips):
        raise Failed("libtpu reports a chip without memory")
    fullest = max(shares, key=lambda chip: shares[chip])
    shown = f"{used[fullest] / GIB:.1f} of {total[fullest] / GIB:.1f} GiB are in use on the fullest chip"
    planned = run.settings.record.number("--gpu-memory-utilization") or UTILIZATION
    if abs(shares[fullest] - planned) > TOLERANCE:
        raise Warned(f"{shown} ({shares[fullest]:.0%}), while the plan is {planned:.0%}.")
    return f"{shown} ({shares[fullest]:.0%}), as planned ({planned:.0%})."
