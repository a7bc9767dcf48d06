"""Lines of the output `cost`: what a stack's machines cost, and what has no price here.

The first line is for the slices of all servers. A line changes with the stack file and with the price tables,
never from one day to the next, except once when a price grows old. Each line has at most
output_lines.LONGEST characters.
"""

from collections.abc import Iterator, Sequence
from datetime import date

from config.footprint import Footprint
from serving.deploy.record import Record
from serving.hardware import machines, prices
from serving.hardware.prices import HOURS_PER_MONTH, WARN_AFTER, Cost
from serving.hardware.regions import Provisioning
from serving.models.spec import ModelSpec

OWN_MACHINE = "nothing: the machine is your own"


def cost(
    footprint: Footprint,
    model: ModelSpec,
    region: str,
    options: Sequence[Provisioning],
    today: date,
    accepted: Record | None,
) -> list[str]:
    """Returns the lines of a stack on Google Cloud.

    `options` are the price lists in the order in which Google tries them. `accepted` is the promoted release,
    whose acceptance has measured its throughput.
    """
    lines: list[str] = []
    found: list[Cost] = []
    for option in options:
        try:
            found.append(prices.cost(footprint.slice, region, option, today))
        except ValueError:
            lines.append(
                f"{_else(lines)}not priced: {option} slices in {region}, for which "
                "serving/hardware/regions.py has no price of the last year"
            )
        else:
            lines.append(_else(lines) + _slices(footprint, found[-1]))
    return [
        *lines,
        *(_tokens(found[0], accepted) if found and accepted else ()),
        *_cluster(footprint, today),
        *_not_priced(footprint, model),
        *(line for price in found for line in _conflicts(footprint, price)),
        *_age([price.price.read for price in found], footprint, today),
    ]


def _else(before: Sequence[str]) -> str:
    return "else " if before else ""


def _slices(footprint: Footprint, price: Cost) -> str:
    hour, month = (footprint.servers * each for each in (price.dollars_per_hour, price.dollars_per_month))
    spare = footprint.spare * price.dollars_per_hour
    return (
        f"${hour:,.2f} an hour, ${month:,.0f} a month of {HOURS_PER_MONTH} hours for {footprint.servers} "
        f"{footprint.slice.name} ({price.provisioning}, {price.region}, price read {price.price.read})"
        + (f"; ${spare:,.2f} an hour more during a release" if spare else "")
    )


def _conflicts(footprint: Footprint, price: Cost) -> Iterator[str]:
    """Yields a line for each reading that disagrees with the price."""
    for other in price.others:
        hour = footprint.servers * footprint.slice.chips * other.dollars_per_chip_hour
        yield (
            f"another reading of the {price.provisioning} price in {price.region} makes it ${hour:,.2f} an "
            f"hour (read {other.read})"
        )


def _tokens(price: Cost, accepted: Record) -> Iterator[str]:
    """Yields the price of tokens at the best throughput that one server showed in its acceptance."""
    ladder = accepted.verdict.ladder if accepted.verdict else ()
    cells = [cell for cell in ladder if float(cell.get("output_tokens_per_second", 0)) > 0]
    if not cells:
        return
    best = max(cells, key=lambda cell: float(cell["output_tokens_per_second"]))
    dollars = price.dollars_per_million_tokens(float(best["output_tokens_per_second"]))
    yield (
        f"${dollars:,.2f} a million output tokens of one server under constant load ({price.provisioning}), "
        f"{best['concurrency']} requests at once: acceptance of {accepted.release}"
    )


def _cluster(footprint: Footprint, today: date) -> Iterator[str]:
    if not footprint.clusters:
        return
    fee = prices.CLUSTER_FEE
    if prices.is_unusable(fee.read, today):
        yield f"not priced: the cluster, whose fee was read on {fee.read}: read it again in {fee.source}"
        return
    yield (
        f"${fee.dollars_per_hour:.2f} an hour, ${fee.dollars_per_month:,.0f} a month for the cluster (GKE's "
        f"fee, price read {fee.read})"
    )


def _not_priced(footprint: Footprint, model: ModelSpec) -> Iterator[str]:
    """Yields a line for each thing that costs something and has no dated price."""
    fewest, most = footprint.system_nodes
    if most:
        yield (
            f"not priced: {fewest} to {most} {machines.SYSTEM_MACHINE} for the cluster, each with "
            f"{machines.SYSTEM_DISK_GB} GB of {machines.SYSTEM_DISK_TYPE}"
        )
    disks = footprint.slice_disks
    spare = footprint.spare * disks.gb
    yield (
        f"not priced: {footprint.servers * disks.gb:,} GB of {disks.type} for the slices"
        + (f"; {spare:,} GB more during a release" if spare else "")
    )
    if footprint.load_balancers:
        yield "not priced: the load balancer, and the traffic through it"
    yield (
        f"not priced: traffic, such as {model.weight_bytes / 1e9:,.0f} GB of weights from the bucket to a "
        "slice at each boot, and the foundation's NAT and storage"
    )


def _age(read: Sequence[date], footprint: Footprint, today: date) -> Iterator[str]:
    """Yields a warning when a shown price is older than WARN_AFTER."""
    fees = [prices.CLUSTER_FEE.read] if footprint.clusters else []
    old = sorted(each for each in {*read, *fees} if prices.is_old(each, today))
    old = [each for each in old if not prices.is_unusable(each, today)]
    if old:
        yield (
            f"a price of {old[0]} is more than {WARN_AFTER.days} days old: check it in the Cloud Billing "
            "Catalog before you rely on it"
        )
