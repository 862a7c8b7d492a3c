"""What a history has met, so that many together show whether they met everything."""

from collections import Counter

from simulation.faults import strikes
from simulation.history import History
from simulation.verdict import UNHEARD

ENDS = ("completed", "payment_due", "cancelled", "rejected", "out_of_stock", "payment_declined", "timeout")
REACHED = (
    "overtaken within an order",
    "overtaken across orders",
    "delivered again while a copy went on",
    "settled too late",
    "abandoned",
    "sweep that failed",
    "authorisations lapsed",
    "duplicate detection ended",
    "clock jumped",
    "a 500 replayed",
    *(f"{refusal} of a batch that was written" for refusal in ("AlreadyExists", "ConditionFailed", "Missing")),
    "sent again by the clock",
    "given up",
    "tried again later",
    "parked",
    "parked for a broken promise",
    "tombstone",
    "handled after its order had given up",
    "waited for stock",
    "second intent",
    "keyless order",
    "order of many rounds",
    "asked for again",
    "forgotten again",
    "replay answered 202",
    "correction answered 200",
    "correction answered 412",
    "import with a fault",
    "too many orders",
    "capture refused",
    "rebuilt",
    *ENDS,
)
"""What some history of a few hundred must have met, besides every fault at every step."""


def reached(history: History) -> Counter[tuple[str, str]]:
    """How often it met what, and each fault at each step."""
    world = history.world
    met = Counter(
        {
            "sent again by the clock": len(history.resends),
            "waited for stock": len(world.witness.stock.waited),
            "tombstone": world.witness.tombstones,
            "parked": world.witness.parked,
            "tried again later": sum("orderflow_attempt" in (wire.properties or {}) for _, wire in world.broker.sent),
        }
    )
    for order in history.orders:
        because = [entry["because"] for entry in order["history"]]
        met.update({"given up": because.count("give up"), order["step"]: 1, str(order["reason"]): 1})
        met.update({"keyless order": "-" in order["email"], "order of many rounds": len(order["lines"]) > 32})
    for head in world.documents("operations", "head"):
        met["rebuilt"] += bool(head["rebuild"] and head["rebuild"]["finishedAt"])
    met["announced again"] += any(UNHEARD.match(line) for line in history.told.lines)
    payments = world.documents("payments", "payment")
    met["capture refused"] += sum(each["state"] == "not_captured" and bool(each["providerCode"]) for each in payments)
    intents = Counter(each["order"] for each in world.provider.intents.values())
    met["second intent"] += sum(number > 1 for number in intents.values())
    return history.adversary.met + Counter({(what, ""): times for what, times in met.items()})


def missing(met: Counter[tuple[str, str]], least: int) -> list[str]:
    """What was met too seldom: a fault at a step so often at least, and each of `REACHED` once."""
    wanted = [*((*strike, least) for strike in strikes()), *((what, "", 1) for what in REACHED)]
    return [f"{what} {step and f'({step})'}".rstrip() for what, step, times in wanted if met[what, step] < times]
