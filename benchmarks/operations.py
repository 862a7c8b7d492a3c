"""What an order takes of the stores, counted, beside what `benchmarks.paper` derives."""

from benchmarks import paper
from benchmarks.comparison import Comparison
from benchmarks.report import How, Report, Table
from scripts.measure_orders import Counts, measure_orders

SHOWN = ("requests", "requestUnits")


def measure(how: How) -> Report:
    """Orders of 1, 10 and 100 lines on a stack of their own, each by itself, as somebody new and without timers."""
    counted = measure_orders(how.of((1, 10, 100), (1,)), how.of(2, 1))
    return report({int(lines): kinds for lines, kinds in counted.items()})


def report(counted: dict[int, dict[str, Counts]]) -> Report:
    """What was counted of one order, by its lines: what its contexts asked of Cosmos DB, and the messages; without what
    operations takes of it, which shows, and is no part of the order's way."""
    comparisons, body = [], list[list[str | float]]()
    for lines, kinds in counted.items():
        cosmos, bus, on_paper = kinds["cosmos"], kinds["serviceBus"], paper.requests(lines)
        size = f"an order of {lines} line{'s' * (lines > 1)}"
        for context in sorted(on_paper.keys() | cosmos.keys()):
            requests, units = (cosmos.get(context, {}).get(name, 0.0) for name in SHOWN)
            body.append([size, context, requests, on_paper[context] or "–", units])
        measured = {
            "Cosmos requests": sum(own["requests"] for name, own in cosmos.items() if name in on_paper),
            "messages sent": sum(own.get("messagesSent", 0) for own in bus.values()),
            "messages received": sum(own.get("messagesDelivered", 0) for name, own in bus.items() if name in on_paper),
        }
        derived = on_paper.total(), paper.sent().total(), paper.received().total()
        for (what, found), wanted in zip(measured.items(), derived, strict=True):
            comparisons.append(Comparison(f"{size}, {what}", 1.0, (found,), (float(wanted),), "number"))
    table = Table(("", "context", "requests", "on paper", "request units"), body)
    return Report(comparisons, [table], {str(lines): kinds for lines, kinds in counted.items()})
