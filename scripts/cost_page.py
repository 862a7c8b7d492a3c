"""Fills the tables of docs/cost.md: `python -m scripts.cost_page`.

Each stands between `<!-- scripts/cost: NAME -->` and `<!-- end -->`; what is around them is written by hand.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from scripts import cost_inputs, costing
from scripts.cost_inputs import Counts, Environment, Price
from scripts.cost_text import an_order, between, dollars, filled, number, rows
from scripts.costing import Line

PAGE = Path(__file__).parents[1] / "docs" / "cost.md"
SIZES = (1_000, 100_000, 10_000_000)
PLACES = ("small", "prod")
ALL_LINES = (1, 3, 20)


def main() -> None:
    """Write the page where it has changed."""
    text = PAGE.read_text()
    if (filled := fill(text)) != text:
        PAGE.write_text(filled)
        sys.stdout.write(f"{PAGE.name} rendered\n")


def fill(text: str) -> str:
    """The page with every table as it is now. ValueError for one that nobody makes."""
    return filled(text, "scripts/cost", TABLES)


def heading() -> str:
    """Cost of an order at each size, and of a month."""
    body = []
    for size in SIZES:
        bills = [_total(name, size) for name in PLACES]
        each = [an_order(bill, size) for bill in bills]
        body.append([f"{size:,}", *each, *map(between, bills)])
    return rows(
        ["Orders a month", *(f"an order, `{name}`" for name in PLACES), *(f"a month, `{n}`" for n in PLACES)], body
    )


def lines_of_bills() -> str:
    """Where the money goes."""
    columns = [(name, size) for name in PLACES for size in SIZES]
    bills = [costing.bill(cost_inputs.environment(name), size, _order(), _prices()) for name, size in columns]
    body = [[lines[0].what, *map(between, lines)] for lines in zip(*bills, strict=True)]
    body.append(["**in all**", *(between(costing.total(bill)) for bill in bills)])
    return rows(["a month", *(f"`{name}`, {size:,}" for name, size in columns)], body)


def counted() -> str:
    """What was counted of an order, by context."""
    orders = [cost_inputs.counts(lines) for lines in ALL_LINES]
    body = []
    for context in sorted(orders[0].requests):
        row = [f"{number(o.requests[context])} / {number(o.request_units[context])}" for o in orders]
        body.append([f"{context}: requests / request units", *row])
    sums = [f"{number(sum(o.requests.values()))} / {number(sum(o.request_units.values()))}" for o in orders]
    body.append(["in all: requests / request units", *sums])
    body += [
        ["messages sent", *(number(sum(o.sent.values())) for o in orders)],
        ["of them forwarded from a topic to a queue", *(number(o.forwarded) for o in orders)],
        ["messages received, each an execution", *(number(sum(o.received.values())) for o in orders)],
        ["filters evaluated", *(number(o.filtered) for o in orders)],
        [f"HTTP requests, each an execution ({cost_inputs.LOOKS} of them looks)", *(_http(o) for o in orders)],
        ["bytes stored, JSON", *(number(sum(own["bytes"] for own in o.stored.values())) for o in orders)],
    ]
    table = rows(["an order of", *(f"{o.lines} {'line' if o.lines == 1 else 'lines'}" for o in orders)], body)
    return f"{table}\n\nCounted on {cost_inputs.data('measured.json')['measured']}."


def sweeps() -> str:
    """What goes on without a single order."""
    measured = cost_inputs.data("measured.json")["sweep"]
    body = [
        [name, number(own["requests"]), number(own["requestUnits"]), f"{cost_inputs.SWEEPS:,}"]
        for name, own in measured.items()
    ]
    uncounted = set(cost_inputs.data("topology.json")["contexts"]) - set(measured)
    body += [[name, "not counted yet", "", f"{cost_inputs.SWEEPS:,}"] for name in sorted(uncounted)]
    total = sum(own["requestUnits"] for own in measured.values())
    requests = sum(own["requests"] for own in measured.values())
    body.append(["in all", number(requests), number(total), f"{cost_inputs.SWEEPS * len(measured):,}"])
    return rows(["timer of", "requests a run", "request units a run", "runs a month"], body)


def executions() -> str:
    """A month's executions and GB-seconds, at each size."""
    body = []
    for size in SIZES:
        groups = list(costing.groups(cost_inputs.environment("prod"), size, _order()))
        orders = sum(group.executions for group in groups if group.kind != "timer")
        timers = sum(group.executions for group in groups if group.kind == "timer")
        shared, alone = sum(g.shared for g in groups), sum(g.alone for g in groups)
        body.append([f"{size:,}", f"{orders:,.0f}", f"{timers:,.0f}", f"{shared:,.0f} – {alone:,.0f}"])
    return rows(["Orders a month", "executions for orders", "of timers", "GB-seconds"], body)


def assumed() -> str:
    """What stands for what can't be measured here."""
    body = [
        ("lines of an order", f"{cost_inputs.LINES}", "a choice; the counts are there for 1 and 20, too"),
        ("looks at an order", f"{cost_inputs.LOOKS}", "`GET /api/orders/{orderId}`, each an execution and a read"),
        (
            "seconds of an execution",
            f"{cost_inputs.EXECUTION_SECONDS:g}",
            "the least that is billed; no execution was timed in Azure",
        ),
        (
            "executions that share an instance's time",
            "from none to as many as its concurrency",
            "Azure bills an instance's active time, whatever runs in it: hence the amounts' two ends",
        ),
        (
            "telemetry of an execution",
            f"{cost_inputs.TELEMETRY_KB:g} KB",
            "look at the workspace's `Usage` after a day",
        ),
        (
            "busiest second of each hour",
            f"{cost_inputs.PEAK:g} × the month's mean",
            "autoscale bills an hour by its busiest second, and by no less than a tenth of the maximum",
        ),
        ("orders stored", f"{cost_inputs.MONTHS_KEPT} months'", "the end of the first year: they only grow"),
    ]
    return rows(["Assumed", "Value", "Why"], body)


def price_table() -> str:
    """Every price with its source and date."""
    body = []
    for price in _prices().values():
        steps = [f"{amount:g}" + (f" from {start:,g}" if start else "") for start, amount in price.tiers]
        said = f"[{price.date}]({price.source})" if price.verified else "**unverified**"
        body.append([price.meter, "; ".join(steps), price.unit, price.region, price.currency, said])
    return rows(["Meter", "Price", "for each", "Region", "Currency", "Read on, and where"], body)


def options() -> str:
    """What a parameter adds to a month of `prod`."""
    place, table = cost_inputs.environment("prod"), _prices()
    groups, memory = costing.scale_groups(), max(each["instanceMemoryMB"] for each in place.scale.values()) / 1024
    there = sum(min(2, each["instanceCount"]) for app in place.scale.values() for each in app["alwaysReady"])
    zones = table["alwaysReadyBaseline"].of((2 * groups - there) * memory * cost_inputs.SECONDS)
    standard, premium = (costing.gateway_cost(tier, 1, 0, _order(), table) for tier in ("StandardV2", "PremiumV2"))
    endpoints, dns = len(place.of("endpoint")), len(place.of("zone"))
    private = table["privateEndpoint"].of(endpoints * cost_inputs.HOURS) + table["privateDnsZone"].of(dns)
    body = [
        (
            "`zoneRedundantData`",
            dollars(0),
            "three zones cost nothing more with autoscale; serverless, each request unit costs a quarter more",
        ),
        (
            "`zoneRedundantApps`",
            dollars(zones),
            f"two instances of {memory:g} GB always ready for each of the {groups} groups of functions that scale by "
            f"themselves, less the {there} that are so already; what they execute comes on top",
        ),
        ("API Management, Standard v2", dollars(standard), "one unit; it reaches apps in the virtual network"),
        ("API Management, Premium v2", dollars(premium), "one unit; it is in the virtual network itself"),
        (
            "`privateNetworking`",
            dollars(private),
            f"{endpoints} private endpoints and {dns} DNS zones, without traffic",
        ),
        (
            "Service Bus Premium",
            dollars(table["premiumUnit"].of(cost_inputs.HOURS)),
            "one unit; private networking needs it",
        ),
    ]
    return rows(["Option", "a month", "What it is"], body)


def limits() -> str:
    """Where each thing stops, in orders a second."""
    order, prod = _order(), cost_inputs.environment("prod").throughput
    a_line = costing.units_of_a_line()
    partition, serverless = cost_inputs.limit("logicalPartition"), cost_inputs.limit("serverlessContainer")
    bus = cost_inputs.limit("standardCredits")
    hot = [
        ("one SKU's stock, `prod`", min(partition, prod["inventory"])),
        ("one SKU's stock, serverless", serverless),
    ]
    body = [
        (what, f"{limit:,.0f} RU/s; {number(a_line)} RU for its line of an order", number(limit / a_line))
        for what, limit in hot
    ]
    for context, limit in sorted(prod.items()):
        if units := order.request_units.get(context):
            body.append(
                (
                    f"container `{context}`, `prod`",
                    f"{limit:,.0f} RU/s; {number(units)} RU an order",
                    number(limit / units),
                )
            )
    most = max(order.request_units.values())
    body.append(
        ("any container, serverless", f"{serverless:,.0f} RU/s; {number(most)} RU an order", number(serverless / most))
    )
    fewest, all_of_them = order.credits
    allowed = f"{bus:,.0f} credits a second; {number(fewest)} to {number(all_of_them)} an order"
    body.append(("Service Bus Standard", allowed, f"{number(bus // all_of_them)} to {number(bus // fewest)}"))
    on_average = SIZES[-1] / cost_inputs.SECONDS
    asked = f"{number(on_average)} a second on average, {cost_inputs.PEAK:g} times that when it is busy"
    body.append((f"for comparison: {SIZES[-1]:,} orders a month", asked, number(on_average * cost_inputs.PEAK)))
    return rows(["What", "Its limit", "Orders a second"], body)


def piled_up() -> str:
    """What a million orders leave behind."""
    body = []
    for lines in ALL_LINES:
        order = cost_inputs.counts(lines)
        for_good, passing = costing.gigabytes(order)
        monthly = _prices()["documents"].of(for_good) + _prices()["backup"].of(for_good)
        documents = sum(own["documents"] for own in order.stored.values()) - (
            order.stored["inventory"]["documents"] - 1
        )
        body.append([f"{lines}", number(documents), f"{for_good:.2f}", f"{passing:.2f}", dollars(monthly)])
    return rows(
        ["lines an order", "documents for good, an order", "GB for good", "GB for 30 days", "a month, for good"], body
    )


def _http(order: Counts) -> str:
    return number(sum(value for name, value in order.executions.items() if name.endswith("/http")))


def _order() -> Counts:
    return cost_inputs.counts(cost_inputs.LINES)


def _prices() -> dict[str, Price]:
    return cost_inputs.prices()


def _total(name: str, size: float) -> Line:
    place: Environment = cost_inputs.environment(name)
    return costing.total(costing.bill(place, size, _order(), _prices()))


TABLES: dict[str, Callable[[], str]] = {
    "heading": heading,
    "bills": lines_of_bills,
    "counted": counted,
    "sweeps": sweeps,
    "executions": executions,
    "assumed": assumed,
    "prices": price_table,
    "options": options,
    "limits": limits,
    "stored": piled_up,
}


if __name__ == "__main__":
    main()
