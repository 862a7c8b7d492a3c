"""What a history has met, so that many together show whether they met everything."""

from collections import Counter

from simulation.faults import Faults
from simulation.history import History
from simulation.verdict import UNHEARD

ENDS = ("completed", "payment_due", "cancelled", "rejected", "out_of_stock", "payment_declined", "timeout")
EVERYTHING = (
    *(name for name in Faults.__slots__ if name != "apart"),
    *(f"{refusal} of a batch that was written" for refusal in ("AlreadyExists", "ConditionFailed", "Missing")),
    "delivered again while a copy was frozen",
    "handled after its order had given up",
    "keyless order",
    "order of many rounds",
    "count asked for again",
    "correction asked for again",
    "forgotten again",
    "replay answered 202",
    "replay answered 404",
    "correction answered 200",
    "correction answered 412",
    "import with a fault",
    "too many orders",
    "waited",
    "resends",
    "given up",
    "capture refused",
    "rebuilt",
    *ENDS,
)
"""What some history in a few must meet."""


def reached(history: History) -> Counter[str]:
    """How often it met what."""
    met = history.adversary.met + Counter(resends=len(history.resends), waited=len(history.world.witness.stock.waited))
    for order in history.orders:
        because = [entry["because"] for entry in order["history"]]
        met.update({"given up": because.count("give up"), order["step"]: 1, str(order["reason"]): 1})
        met.update({"keyless order": "-" in order["email"], "order of many rounds": len(order["lines"]) > 32})
    [head] = history.world.documents("operations", "head")
    met["announced again"] += any(UNHEARD.match(line) for line in history.told.lines)
    met["rebuilt"] += bool(head["rebuild"] and head["rebuild"]["finishedAt"])
    payments = history.world.documents("payments", "payment")
    met["capture refused"] += sum(each["state"] == "not_captured" and bool(each["providerCode"]) for each in payments)
    return met
