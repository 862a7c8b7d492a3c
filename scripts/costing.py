"""What an environment costs in a month: counts of an order, times orders, times prices, and what is there whether or
not orders come."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from scripts.cost_inputs import (
    EXECUTION_SECONDS,
    HOURS,
    LOOKS,
    MONTHS_KEPT,
    PEAK,
    SECONDS,
    SWEEPS,
    TELEMETRY_KB,
    Counts,
    Environment,
    Price,
    counts,
    data,
)


@dataclass(frozen=True)
class Line:
    """One line of a bill: from the least to the most that it may be."""

    what: str
    least: float
    most: float


def bill(place: Environment, orders: float, order: Counts, table: Mapping[str, Price]) -> list[Line]:
    """What a month with so many orders costs there."""
    return [
        _functions(place, orders, order, table),
        _documents(place, orders, order, table),
        _storage(place, orders, order, table),
        _messages(place, orders, order, table),
        _logs(place, orders, order, table),
        _fixed(place, orders, order, table),
    ]


def total(lines: Iterable[Line]) -> Line:
    """Their sum."""
    listed = list(lines)
    return Line("total", sum(line.least for line in listed), sum(line.most for line in listed))


def _line(what: str, amount: float) -> Line:
    return Line(what, amount, amount)


@dataclass(frozen=True)
class Group:
    """Functions that scale together: an app's HTTP functions, or one queue's, or a timer."""

    context: str
    kind: str
    executions: float
    concurrency: int
    memory: float

    @property
    def alone(self) -> float:
        """GB-seconds where no two executions share an instance."""
        return self.executions * EXECUTION_SECONDS * self.memory

    @property
    def shared(self) -> float:
        """GB-seconds where executions that come at any moment share as many instances as they need, and no more."""
        busy = self.executions * EXECUTION_SECONDS / SECONDS
        return SECONDS * max(1 - math.exp(-busy), busy / self.concurrency) * self.memory


def groups(place: Environment, orders: float, order: Counts) -> Iterator[Group]:
    """Every group of the environment, with what a month asks of it."""
    for app in data("topology.json")["apps"]:
        context = app["context"]
        scale = place.scale[context]
        memory = scale["instanceMemoryMB"] / 1024
        for name, number in order.executions.items():
            owner, _, kind = name.partition("/")
            if owner == context:
                concurrency = app["httpConcurrency" if kind == "http" else "messageConcurrency"]
                yield Group(context, kind, number * orders, concurrency, memory)
        yield Group(context, "timer", SWEEPS, 1, memory)


def _functions(place: Environment, orders: float, order: Counts, table: Mapping[str, Price]) -> Line:
    ready = {
        (context, each["name"]): each["instanceCount"]
        for context, scale in place.scale.items()
        for each in scale["alwaysReady"]
    }
    mine = list(groups(place, orders, order))
    on_demand = [group for group in mine if (group.context, group.kind) not in ready]
    waiting = [group for group in mine if (group.context, group.kind) in ready]
    executions = table["onDemandExecutions"].of(sum(group.executions for group in on_demand))
    executions += table["alwaysReadyExecutions"].of(sum(group.executions for group in waiting))
    kept = sum(number * place.scale[context]["instanceMemoryMB"] / 1024 for (context, _), number in ready.items())
    baseline = table["alwaysReadyBaseline"].of(kept * SECONDS)

    def time(seconds: Iterable[float], of_ready: Iterable[float]) -> float:
        return table["onDemandTime"].of(sum(seconds)) + table["alwaysReadyTime"].of(sum(of_ready))

    least = time([group.shared for group in on_demand], [group.shared for group in waiting])
    most = time([group.alone for group in on_demand], [group.alone for group in waiting])
    return Line("Functions", executions + baseline + least, executions + baseline + most)


def scale_groups() -> int:
    """How many groups of functions scale by themselves: each app's HTTP functions, each queue's, each timer."""
    topology = data("topology.json")
    return 2 * len(topology["apps"]) + sum(len(grant["receive"]) for grant in topology["grants"])


def units_of_a_line() -> float:
    """Request units that one more line of an order costs inventory, all in its SKU's logical partition."""
    few, many = counts(1), counts(20)
    return (many.request_units["inventory"] - few.request_units["inventory"]) / (many.lines - few.lines)


def request_units(orders: float, order: Counts) -> dict[str, float]:
    """A month's, by container: of orders, of looks at them, of sweeps."""
    sweep = data("measured.json")["sweep"]
    found = dict.fromkeys(data("topology.json")["contexts"], 0.0)
    found |= {name: own["requestUnits"] * SWEEPS for name, own in sweep.items()}
    for name, units in order.request_units.items():
        found[name] += units * orders
    read = 2 * (1 + max(0.0, order.stored["orders"]["bytes"] / 1024 - 1) / 11)
    found["orders"] += LOOKS * read * orders
    return found


def _documents(place: Environment, orders: float, order: Counts, table: Mapping[str, Price]) -> Line:
    units = request_units(orders, order)
    if place.serverless:
        return _line("Cosmos DB, requests", table["serverlessRequestUnits"].of(sum(units.values())))
    billed = 0.0
    for name, most in place.throughput.items():
        at_peak = math.ceil(units[name] / SECONDS * PEAK / 100) * 100
        billed += max(most / 10, at_peak)
    return _line("Cosmos DB, requests", table["autoscaleThroughput"].of(billed * HOURS))


def gigabytes(order: Counts) -> tuple[float, float]:
    """What a million orders leave for good, and what inventory keeps for another 30 days."""
    passing = order.stored["inventory"]["documents"] - 1
    inventory = order.stored["inventory"]["bytes"]
    reservations = inventory * passing / (passing + 1)
    everything = sum(own["bytes"] for own in order.stored.values())
    return (everything - reservations) * 1e6 / 1e9, reservations * 1e6 / 1e9


def _storage(place: Environment, orders: float, order: Counts, table: Mapping[str, Price]) -> Line:
    for_good, passing = gigabytes(order)
    kept = orders / 1e6 * (for_good * MONTHS_KEPT + passing)
    return _line("Cosmos DB, storage and backup", table["documents"].of(kept) + table["backup"].of(kept))


def _messages(place: Environment, orders: float, order: Counts, table: Mapping[str, Price]) -> Line:
    if place.premium_units:
        return _line("Service Bus", table["premiumUnit"].of(place.premium_units * HOURS))
    operations = table["standardOperations"].of(order.operations * orders)
    return _line("Service Bus", table["standardNamespace"].of(HOURS) + operations)


def _logs(place: Environment, orders: float, order: Counts, table: Mapping[str, Price]) -> Line:
    executions = sum(group.executions for group in groups(place, orders, order))
    return _line("Logs", table["logs"].of(executions * TELEMETRY_KB / 1e6))


def _fixed(place: Environment, orders: float, order: Counts, table: Mapping[str, Price]) -> Line:
    often = sum(each["properties"]["evaluationFrequency"] == "PT5M" for each in place.of("logAlert"))
    amount = table["logAlert5Minutes"].of(often)
    amount += table["logAlert15Minutes"].of(len(place.of("logAlert")) - often)
    amount += table["metricAlert"].of(len(place.of("metricAlert")))
    amount += table["privateEndpoint"].of(len(place.of("endpoint")) * HOURS)
    amount += table["privateDnsZone"].of(len(place.of("zone")))
    for gateway in place.of("gateway"):
        amount += gateway_cost(gateway["sku"]["name"], gateway["sku"]["capacity"], orders, order, table)
    return _line("Network, alerts, gateway", amount)


def gateway_cost(tier: str, units: int, orders: float, order: Counts, table: Mapping[str, Price]) -> float:
    """API Management of a tier in a month, the calls included that orders make."""
    calls = orders * sum(number for name, number in order.executions.items() if name.endswith("/http"))
    by_call = table.get(f"gateway{tier}Calls")
    return table[f"gateway{tier}"].of(units * HOURS) + (by_call.of(calls) if by_call else 0.0)
