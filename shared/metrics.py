"""What is counted and measured of the work, for whomever the settings say.

All are counters or histograms, of what was seen when it was seen: a gauge would go on telling what an instance saw
last, long after another has taken over its timer.
"""

from dataclasses import dataclass

from shared.telemetry import measured


@dataclass(frozen=True, slots=True)
class Metric:
    """One of them. A `total` adds up; of the others it is known how they are spread, their largest in a time too."""

    name: str
    unit: str
    meaning: str
    total: bool = False

    def record(self, value: float = 1, **attributes: str) -> None:
        """So much was seen."""
        measured(self.name, value, attributes)


ORDERS_ENDED = Metric(
    "orderflow.orders.ended", "{order}", "Orders, by the state in which they ended, and why", total=True
)
REVENUE = Metric("orderflow.revenue", "{minor unit}", "Totals of completed orders, by currency", total=True)
STEP_TIME = Metric("orderflow.order.step.duration", "s", "How long orders were in a step, when they left it")
WAITING = Metric("orderflow.order.waiting", "s", "How long orders that the timer looks at have been in their step")
STOCK_OUTS = Metric("orderflow.stock.outs", "{order}", "Orders that were refused for want of stock", total=True)
PARKED = Metric("orderflow.messages.parked", "{message}", "Messages that were parked, by queue and cause", total=True)
DEAD_LETTERED = Metric("orderflow.messages.dead_lettered", "{message}", "Dead letters that came, by queue", total=True)
OUTBOX_AGE = Metric(
    "orderflow.outbox.age", "s", "How old the oldest message was that a sweep found unpublished; 0: none"
)
SWEEP_AGE = Metric("orderflow.sweep.age", "s", "How long ago a sweep last succeeded, at the end of each, by function")

METRICS = (
    *(ORDERS_ENDED, REVENUE, STEP_TIME, WAITING, STOCK_OUTS),
    *(PARKED, DEAD_LETTERED, OUTBOX_AGE, SWEEP_AGE),
)
