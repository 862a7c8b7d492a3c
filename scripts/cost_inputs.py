"""What a month's cost is made of: prices, counts of an order, environments as their snapshots have them.

What can't be counted without Azure is an assumption, and stands here by name.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

INFRA = Path(__file__).parents[1] / "infra"

HOURS = 730
"""In a month, as Azure's own estimates have it."""
SECONDS = HOURS * 3600
SWEEPS = HOURS * 60
"""Runs of each context's timer in a month: one a minute."""

LINES = 3
"""Of the order that the page counts with."""
LOOKS = 2
"""How often somebody looks at an order over HTTP."""
EXECUTION_SECONDS = 1.0
"""How long an execution takes: the least that is billed. None was timed in Azure."""
TELEMETRY_KB = 5.0
"""Of an execution: its request, its calls of the stores, its log lines."""
PEAK = 4.0
"""How many times the month's mean the busiest second of each hour is."""
MONTHS_KEPT = 12
"""How many months' orders are stored: at the end of the first year."""

DATA_TYPES = {
    "account": "Microsoft.DocumentDB/databaseAccounts",
    "container": "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers",
    "namespace": "Microsoft.ServiceBus/namespaces",
    "site": "Microsoft.Web/sites",
    "gateway": "Microsoft.ApiManagement/service",
    "endpoint": "Microsoft.Network/privateEndpoints",
    "zone": "Microsoft.Network/privateDnsZones",
    "metricAlert": "Microsoft.Insights/metricAlerts",
    "logAlert": "Microsoft.Insights/scheduledQueryRules",
}


@cache
def data(name: str) -> Any:
    """A file of `infra/`, parsed."""
    return json.loads((INFRA / name).read_text())


def limit(name: str) -> float:
    """What Azure, or the payment provider, gives at most, as `infra/limits.json` has it with its source."""
    return float(data("limits.json")[name]["limit"])


@dataclass(frozen=True)
class Price:
    """One price: so much for `units_of` of what is counted, from each tier's threshold on."""

    meter: str
    unit: str
    units_of: float
    tiers: tuple[tuple[float, float], ...]
    region: str
    currency: str
    source: str | None
    date: str | None

    @property
    def verified(self) -> bool:
        """Whether it says who said so, and when."""
        return bool(self.source and self.date)

    def of(self, quantity: float) -> float:
        """What a month's quantity costs."""
        units = quantity / self.units_of
        ends = [start for start, _ in self.tiers[1:]] + [math.inf]
        return sum(
            (min(units, end) - start) * price
            for (start, price), end in zip(self.tiers, ends, strict=True)
            if units > start
        )


def prices(listed: Mapping[str, Mapping[str, Any]] | None = None) -> dict[str, Price]:
    """The price table, by name."""
    found = {}
    for name, each in (data("prices.json") if listed is None else listed).items():
        tiers = tuple((float(start), float(price)) for start, price in each["tiers"])
        if not tiers or tiers[0][0] != 0 or list(tiers) != sorted(tiers):
            raise ValueError(f"prices.json: the tiers of {name} must begin at 0, and rise")
        found[name] = Price(
            each["meter"],
            each["unit"],
            each["unitsOf"],
            tiers,
            each["region"],
            each["currency"],
            each.get("source"),
            each.get("date"),
        )
    return found


@dataclass(frozen=True)
class Counts:
    """Of one order of so many lines, from its placing to `completed`, as measured."""

    lines: int
    requests: Mapping[str, float]
    request_units: Mapping[str, float]
    sent: Mapping[str, float]
    received: Mapping[str, float]
    stored: Mapping[str, Mapping[str, float]]

    @property
    def filtered(self) -> float:
        """Evaluations of subscriptions' filters: one for each subscription of the topic that a message goes to."""
        return sum(self.sent.get(each["topic"], 0) for each in data("topology.json")["subscriptions"])

    @property
    def forwarded(self) -> float:
        """Messages that the broker carries from subscriptions to queues: what queues get and nobody sent there."""
        return sum(self.received.values()) - sum(self.sent.get(queue, 0) for queue in self.received)

    @property
    def credits(self) -> tuple[float, float]:
        """Of Service Bus Standard: what its documentation counts, and with forwarding and settling, which it leaves
        open."""
        sent, received = sum(self.sent.values()), sum(self.received.values())
        least = sent + received + self.filtered
        return least, least + 2 * self.forwarded + received

    @property
    def operations(self) -> float:
        """Of Service Bus Standard, as they are billed: sends, receives, settlements, and one for each forwarding."""
        return sum(self.sent.values()) + 2 * sum(self.received.values()) + self.forwarded

    @property
    def executions(self) -> dict[str, float]:
        """Of functions, by context and kind: `orders/http`, `orders/orders`."""
        found = {"orders/http": 1.0 + LOOKS, "shipping/http": 1.0}
        for queue, number in self.received.items():
            found[f"{receiver(queue)}/{queue}"] = number
        return found


def receiver(queue: str) -> str:
    """The context that drains the queue."""
    return next(str(grant["context"]) for grant in data("topology.json")["grants"] if queue in grant["receive"])


def counts(lines: int) -> Counts:
    """As `infra/measured.json` has them."""
    measured = data("measured.json")["orders"][str(lines)]
    bus: Mapping[str, Mapping[str, float]] = measured["serviceBus"]
    return Counts(
        lines,
        {name: own["requests"] for name, own in measured["cosmos"].items()},
        {name: own["requestUnits"] for name, own in measured["cosmos"].items()},
        {name: own["messagesSent"] for name, own in bus.items() if "messagesSent" in own},
        {name: own["messagesDelivered"] for name, own in bus.items() if "messagesDelivered" in own},
        measured["stored"],
    )


@dataclass(frozen=True)
class Environment:
    """What a parameter file deploys, as far as it has a price."""

    name: str
    resources: tuple[Mapping[str, Any], ...]

    def of(self, kind: str) -> list[Mapping[str, Any]]:
        """Its resources of a kind."""
        return [each for each in self.resources if each["type"] == DATA_TYPES[kind]]

    @property
    def serverless(self) -> bool:
        """Whether documents are paid by the request."""
        [account] = self.of("account")
        return {"name": "EnableServerless"} in account["properties"]["capabilities"]

    @property
    def premium_units(self) -> int:
        """Messaging units of Service Bus; none in Standard."""
        [namespace] = self.of("namespace")
        return int(namespace["sku"]["capacity"]) if namespace["sku"]["name"] == "Premium" else 0

    @property
    def throughput(self) -> dict[str, float]:
        """What each container may go up to, in request units a second."""
        found = {}
        for each in self.of("container"):
            settings = each["properties"].get("options", {}).get("autoscaleSettings", {})
            found[each["name"].rpartition("/")[2]] = float(settings.get("maxThroughput", 5000))
        return found

    @property
    def scale(self) -> dict[str, Mapping[str, Any]]:
        """Memory, concurrency and always ready instances of each context's app."""
        return {
            each["tags"]["azd-service-name"]: each["properties"]["functionAppConfig"]["scaleAndConcurrency"]
            for each in self.of("site")
        }


def environment(name: str) -> Environment:
    """One of those that have a snapshot."""
    return Environment(name, tuple(data(f"{name}.snapshot.json")["predictedResources"]))
