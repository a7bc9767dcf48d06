"""Slices that a rate of requests needs to keep a service-level objective, and their price. Pure.

Each slice is one server. A load balancer that chooses servers at random splits a Poisson process into Poisson
processes, so each server gets an equal part of the rate.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from config.traffic.load import RATE_SECONDS, Load, requests_for_rate
from config.traffic.objective import SHARE, Objective
from serving.hardware import prices
from serving.hardware.accelerators import Accelerator
from serving.hardware.prices import Cost, Provisioning

MOST_SLICES = 1024
"""Slices beyond which the search ends."""


@dataclass(frozen=True)
class Plan:
    """The smallest number of slices that keeps an objective. `result` is that of one of them."""

    slices: int
    result: Mapping[str, Any]

    @property
    def tokens_per_second(self) -> float:
        """Returns the output tokens a second of all slices together."""
        return self.slices * self.result["output_tokens_per_second"]


def share(load: Load, slices: int) -> Load:
    """Returns the load of one of `slices`, with RATE_SECONDS of arrivals.

    Raises ValueError, one sentence, for a load without a rate, for a trace, and for a number of requests.
    """
    if load.rate is None:
        raise ValueError("An SLO needs a load with a rate: write rate=REQUESTS_PER_SECOND in LOAD.")
    if load.recording is not None and load.recording.in_order:
        raise ValueError(
            "An SLO needs as many requests as it takes, and a trace has its own: describe their lengths with "
            "uniform or lognormal, or in a table (.csv)."
        )
    if load.requests != requests_for_rate(load.rate):
        raise ValueError(
            f"requests={load.requests} was asked for with an SLO, for which each slice is simulated for "
            f"{RATE_SECONDS} seconds of arrivals: leave requests out of LOAD."
        )
    rate = load.rate / slices
    return replace(load, rate=rate, requests=requests_for_rate(rate))


def plan(load: Load, objective: Objective, simulated: Callable[[Load], Mapping[str, Any]]) -> Plan:
    """Returns the smallest number of slices with which each keeps the objective.

    Raises ValueError, one sentence, for a load that `share` refuses, and for an objective that no number
    keeps.
    """
    results: dict[int, Mapping[str, Any]] = {}

    def keeps(slices: int) -> bool:
        results[slices] = simulated(share(load, slices))
        return not objective.missed(results[slices])

    low, high = 0, 1
    while not keeps(high):
        low, high = high, 2 * high
        if high > MOST_SLICES:
            reasons = " and ".join(objective.missed(results[low]))
            raise ValueError(
                f"Even {low:,} slices do not keep the SLO: {reasons}; raise the limit, or shorten the "
                "requests."
            )
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if keeps(middle) else (middle, high)
    return Plan(high, results[high])


def lines(
    plan_: Plan, slice_: Accelerator, region: str, provisioning: Provisioning, today: date
) -> list[str]:
    """Returns the slices, and their dollars a month and for a million output tokens, or why not."""
    each = plan_.result
    first = (
        f"{plan_.slices:,} x {slice_.name} keep the SLO (simulated): {each['rate']:.2f} requests and "
        f"{each['output_tokens_per_second']:,.0f} output tokens a second each, first token "
        f"{each['time_to_first_token_ms'][SHARE]:,.0f} ms at {SHARE}, limited by {each['limited_by']}."
    )
    try:
        price = prices.cost(slice_, region, provisioning, today)
    except ValueError as reason:
        return [first, f"They have no price: {reason}"]
    return [first, _price(plan_, price), *([price.warning] if price.warning else [])]


def dollars(plan_: Plan, price: Cost) -> tuple[float, float]:
    """Returns the dollars a month, and for a million output tokens at the plan's rate."""
    million = plan_.slices * price.dollars_per_hour / (plan_.tokens_per_second * 3600) * 1e6
    return plan_.slices * price.dollars_per_month, million


def _price(plan_: Plan, price: Cost) -> str:
    month, million = dollars(plan_, price)
    return (
        f"${month:,.0f} a month, ${million:,.2f} for a million output tokens at this rate "
        f"({price.provisioning}, {price.region}, price read {price.price.read})."
    )
