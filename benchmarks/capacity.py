"""What gives way first as orders come faster, on paper: what an order takes, as counted, and what Azure gives at most.

For the product that everybody wants, what splitting its stock would bring is simulated (`benchmarks.buckets`).
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks import paper
from benchmarks.buckets import sale
from benchmarks.comparison import Comparison
from benchmarks.report import How, Report, Table
from scripts import cost_inputs, costing
from scripts.cost_inputs import Environment, limit

RATES, LINES, SHARES = (1, 100, 10_000), (1, 20), (0.01, 0.1, 0.5)
BUCKETS = (1, 2, 4, 8, 16, 32)
BUSY = 10_000_000 / cost_inputs.SECONDS * cost_inputs.PEAK
"""Orders a second when a shop of ten million a month is busy."""
MESSAGE_BYTES, LINE_BYTES, WITH_LINES = 1_024, 64, 3
"""Of a message with its properties; of each line in those of an order's messages that have them."""
EXECUTION_SECONDS = 0.1
"""Of a function that makes a handful of requests of some ten milliseconds each. None was timed in Azure."""


@dataclass(frozen=True, slots=True)
class Resource:
    """Something that an order takes `need` of each second, and of which there is `limit`."""

    name: str
    limit: float
    need: float

    @property
    def rate(self) -> float:
        """Orders a second that it carries."""
        return self.limit / self.need


def resources(place: Environment, lines: int, share: float) -> Iterator[Resource]:
    """All that orders of so many lines need where this is deployed, if such a share of them has one product among its
    lines."""
    order = cost_inputs.counts(lines)
    topology = cost_inputs.data("topology.json")
    throughput = place.throughput
    partition = min(limit("logicalPartition"), throughput["inventory"])
    yield Resource("the hot product's stock, one logical partition", partition, costing.units_of_a_line() * share)
    for context, units in order.request_units.items():
        yield Resource(f"container `{context}`", throughput[context], units)
    if place.premium_units:
        moved = sum(order.sent.values()) + sum(order.received.values()) + 2 * order.forwarded
        size = moved * MESSAGE_BYTES + 2 * WITH_LINES * lines * LINE_BYTES
        yield Resource(
            f"Service Bus Premium, {place.premium_units} MU", place.premium_units * limit("messagingUnit"), size
        )
    else:
        yield Resource("Service Bus Standard", limit("standardCredits"), order.credits[1])
    yield Resource(f"{PROVIDER}, each of its operations", limit("providerEndpoint"), 1)
    yield Resource(f"{PROVIDER}, the account", limit("providerRequests"), paper.provider_calls())
    for app in topology["apps"]:
        context, scale = app["context"], place.scale[app["context"]]
        busy = sum(
            number * EXECUTION_SECONDS / app["httpConcurrency" if name.endswith("/http") else "messageConcurrency"]
            for name, number in order.executions.items()
            if name.partition("/")[0] == context
        )
        if busy:
            yield Resource(
                f"instances of `{context}`", min(scale["maximumInstanceCount"], limit("flexInstances")), busy
            )


def at_most(place: Environment) -> Environment:
    """The same with as much of everything as Azure gives without being asked."""
    return Unbounded(place.name, place.resources)


class Unbounded(Environment):
    """An environment whose containers, messaging units and instances are as many as there can be."""

    @property
    def throughput(self) -> dict[str, float]:
        return dict.fromkeys(super().throughput, limit("container"))

    @property
    def premium_units(self) -> int:
        return int(limit("messagingUnits"))

    @property
    def scale(self) -> dict[str, dict[str, float]]:  # type: ignore[override]
        every = super().scale
        cores = limit("flexCores") / len(every)
        return {name: {"maximumInstanceCount": cores} for name in every}


PROVIDER = "Stripe"


def measure(_: How) -> Report:
    """Nothing is timed: it is the same on any machine."""
    prod = cost_inputs.environment("prod")
    comparisons = [
        Comparison(f"{_lines(lines)}, {name}: the fullest resource of `prod`", 1.0, (used,), (1.0,), "of its limit")
        for lines in LINES
        for name, rate in (("1 order a second", 1.0), (f"{BUSY:.1f} a second", BUSY))
        for used in [rate / min(each.rate for each in resources(prod, lines, SHARES[0]))]
    ]
    return Report(comparisons, [carried(), first_to_give_way(), of_buckets()])


def carried() -> Table:
    """Orders a second that each resource carries, as `prod` is and with the most of everything."""
    prod = cost_inputs.environment("prod")
    places = {"`prod`": prod, "the most": at_most(prod)}
    columns = {
        (name, lines): [*resources(place, lines, SHARES[1])] for name, place in places.items() for lines in LINES
    }
    body: list[list[str | float]] = []
    for number, each in enumerate(columns["`prod`", 1]):
        name = f"{each.name}, in a tenth of orders" if number == 0 else each.name.partition(", 1 MU")[0]
        body.append([name, *(_rounded(column[number].rate) for column in columns.values())])
    return Table(("orders a second", *(f"{name}, {_lines(lines)}" for name, lines in columns)), body)


def first_to_give_way() -> Table:
    """Of what Azure gives, at each size and share: what is used up first, at which rate, and how far at others."""
    prod = cost_inputs.environment("prod")
    body = [
        [_lines(lines), f"{share:.0%}", *_first(prod, lines, share), *_first(at_most(prod), lines, share)]
        for lines in LINES
        for share in SHARES
    ]
    rates = [f"at {rate:,}" for rate in RATES]
    return Table(("orders of", "hot in", "`prod`: first", "at", *rates, "the most: first", "at", *rates), body)


def _first(place: Environment, lines: int, share: float) -> list[str | float]:
    azure = (each for each in resources(place, lines, share) if not each.name.startswith(PROVIDER))
    first = min(azure, key=lambda each: each.rate)
    return [first.name, _rounded(first.rate), *(f"{_rounded(100 * rate / first.rate):,.0f} %" for rate in RATES)]


def of_buckets() -> Table:
    """What splitting one product's stock brings, and costs."""
    return asyncio.run(_of_buckets())


async def _of_buckets() -> Table:
    body: list[list[str | float]] = []
    for buckets in BUCKETS:
        mixed, of_three = await sale(buckets), await sale(buckets, (3,))
        rate, looks = mixed.rate(limit("logicalPartition")), round(mixed.looks, 1)
        body.append([f"{buckets}", _rounded(rate), looks, of_three.sold, mixed.oversold + of_three.oversold])
    tried, served = "buckets tried by an order", "orders served, if all want three"
    return Table(("buckets", "orders a second", tried, served, "oversold"), body)


def _lines(lines: int) -> str:
    return f"{lines} line{'s' * (lines > 1)}"


def _rounded(rate: float) -> float:
    """To three digits: it is paper."""
    return float(f"{rate:.3g}")
