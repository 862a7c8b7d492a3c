"""The invariants of the whole system, over stored documents as plain dicts.

A snapshot is no moment: its parts are read one after the other, in the order that its fields have here, while the
system may go on. What is read later is therefore newer, and each invariant only concludes what that allows: an order
that was final stays so, and money that was captured had a dispatch before it.
"""

from datetime import datetime

from local.verify.invariants.messages import drained, parked, prices, sweeps
from local.verify.invariants.money import money
from local.verify.invariants.orders import orders
from local.verify.invariants.snapshot import CONTAINERS, FINAL, Document, Finding, Snapshot, waits_for
from local.verify.invariants.stock import reservations, stock
from local.verify.invariants.sums import sums

__all__ = ["CONTAINERS", "FINAL", "Document", "Finding", "Snapshot", "examine", "parked", "stock", "waits_for"]


def examine(snapshot: Snapshot, at: datetime | None = None) -> list[Finding]:
    """Every invariant, in the order of the design. Without the time at which the looking began, `at`, no sweep is
    overdue."""
    at_rest = drained(snapshot)
    return [
        stock(snapshot),
        money(snapshot),
        orders(snapshot),
        reservations(snapshot),
        at_rest,
        sweeps(snapshot, at),
        parked(snapshot),
        prices(snapshot, at_rest=at_rest.holds),
        sums(snapshot),
    ]
