"""Price of the tokens that a load test has measured. Pure."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from config.provisioning import price_lists
from config.settings import Settings
from config.targets import GkeTarget
from serving.hardware import prices
from serving.hardware.accelerators import accelerator


def lines(settings: Settings, results: Sequence[Mapping[str, Any]], today: date) -> list[str]:
    """Returns a sentence on the dollars for a million output tokens, and the warnings about the price.

    The price is that of one slice over the highest throughput, because a load test measures one server.
    There is none for a stack that is not on Google Cloud, and for results without a token.
    """
    target = settings.target
    if not isinstance(target, GkeTarget):
        return []
    best = max(results, key=lambda result: result["output_tokens_per_second"], default=None)
    if best is None or best["output_tokens_per_second"] <= 0:
        return []
    slice_, option = accelerator(settings.accelerator), price_lists(target.capacity)[0]
    try:
        price = prices.cost(slice_, target.region, option, today)
    except ValueError as reason:
        return [f"Tokens have no price: {reason}"]
    dollars = price.dollars_per_million_tokens(best["output_tokens_per_second"])
    sentence = (
        f"A million output tokens cost ${dollars:,.2f} at {best['concurrency']:,} at once, under constant "
        f"load: ${price.dollars_per_hour:,.2f} an hour for one {slice_.name} ({option}, {target.region}, "
        f"price read {price.price.read})."
    )
    return [sentence, *(each for each in (price.warning, price.conflict) if each)]
