"""Read models: what operations has counted is what a replay of the events that it keeps gives."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from local.verify.invariants.snapshot import Document, Finding, Snapshot, finding

_STEPS = {
    "stock": ("OrderPlaced", "StockReserved StockRejected"),
    "payment": ("StockReserved", "PaymentAuthorised PaymentDeclined"),
    "dispatch": ("OrderConfirmed", "ShipmentDispatched"),
    "undo": ("PaymentDeclined ShipmentCancelled", "OrderCancelled OrderRejected"),
    "settle": ("OrderShipped", "OrderCompleted OrderPaymentDue"),
    "whole": ("OrderPlaced", "OrderCompleted OrderPaymentDue OrderCancelled OrderRejected"),
}
_ENDED = _STEPS["whole"][1]
_WAITS = {
    "settle": "OrderShipped ShipmentDispatched",
    "undo": "StockRejected PaymentDeclined ShipmentCancelled StockReleased PaymentVoided",
    "dispatch": "OrderConfirmed PaymentAuthorised ShipmentCreated",
    "payment": "StockReserved",
    "stock": "OrderPlaced",
}
_LENGTHS = {"5m": timedelta(minutes=5), "hour": timedelta(hours=1), "day": timedelta(days=1)}
_SHOWN = {"5m": timedelta(hours=1), "hour": timedelta(days=1)}


def sums(snapshot: Snapshot) -> Finding:
    """Every sum that is still shown is that of the events up to where it came, and so are the orders under way."""
    checked, violations = 0, []
    for head in snapshot.kind("head"):
        live, now = head["live"], datetime.fromtimestamp(head["_ts"], UTC)
        keep = timedelta(days=head["keepDays"])
        events = [e for e in snapshot.kind("event") if (e["_ts"], e["eventId"]) <= (live["at"], live["eventId"])]
        expected, under_way = _replayed(events, keep)
        stored = {
            tuple(each["id"].split(":", 2)[1:]): each["counts"]
            for each in snapshot.kind("sum")
            if each["model"] == live["id"]
        }
        for each in head["held"]:
            if each["place"]["model"] == live["id"]:
                place = tuple(each["place"]["id"].split(":", 2)[1:])
                stored[place] = dict(Counter(stored.get(place, {})) + Counter(each["counts"]))
        for period, start in sorted(expected.keys() | stored.keys()):
            since = f"{now - _SHOWN.get(period, keep - timedelta(days=1)):%Y-%m-%dT%H:%M}"
            if start >= max(live["since"], since):
                checked += 1
                found, counts = stored.get((period, start), {}), dict(expected[period, start])
                if found != counts:
                    wrong = {name for name in found | counts if found.get(name) != counts.get(name)}
                    violations.append(f"{period} from {start}: {', '.join(sorted(wrong))} are not as by the events")
        kept = {day: dict(states) for day, states in under_way.items() if day >= f"{now - keep:%Y-%m-%d}"}
        if live["open"] != kept:
            violations.append(f"under way: {live['open']}, and {kept} by the events")
    return finding("sums", checked, violations)


def _replayed(
    events: Iterable[Document], keep: timedelta
) -> tuple[dict[tuple[str, str], Counter[str]], dict[str, Counter[str]]]:
    """What these events add to the sums of each period; and which orders are under way, by day and state."""
    expected: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    under_way: dict[str, Counter[str]] = defaultdict(Counter)
    orders: dict[str, dict[str, Document]] = defaultdict(dict)

    def add(at: datetime, name: str, number: int = 1) -> None:
        for period, length in _LENGTHS.items():
            start = at - (at - datetime(2000, 1, 1, tzinfo=UTC)) % length
            expected[period, f"{start:%Y-%m-%dT%H:%M}"][name] += number

    for event in events:
        add(_at(event), f"event.{event['name']}")
        if event["orderId"]:
            orders[event["orderId"]][event["name"]] = event
    for known in orders.values():
        at = {name: _at(event) for name, event in known.items()}
        for step, (begin, end) in _STEPS.items():
            began, ended = ([at[name] for name in names.split() if name in at] for names in (begin, end))
            if began and ended and (took := min(ended) - min(began)) <= keep:
                bin = round(4 * math.log2(max(took.total_seconds(), 0.001) / 0.001))
                add(min(ended), f"took.{step}.{bin}")
        placed, captured, rejected = (known.get(n) for n in ("OrderPlaced", "PaymentCaptured", "OrderRejected"))
        if placed and captured and _at(captured) - _at(placed) <= keep:
            add(_at(captured), f"captured.{placed['told']['currency']}", placed["told"]["total"])
        if rejected:
            add(_at(rejected), f"rejected.{rejected['told']['reason']}")
        if placed and not at.keys() & set(_ENDED.split()):
            state = next(state for state, names in _WAITS.items() if at.keys() & set(names.split()))
            under_way[f"{_at(placed):%Y-%m-%d}"][state] += 1
    return expected, under_way


def _at(event: Document) -> datetime:
    return datetime.fromisoformat(event["at"])
