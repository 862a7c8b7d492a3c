"""Renders docs/order-process.md from the tables: `python -m tests.unit.process_page` writes it."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from services.inventory import domain as inventory
from services.orders.process import (
    OUTSTANDING,
    PROCESS,
    STATUS,
    Collect,
    Early,
    Ignore,
    Keep,
    Move,
    Outcome,
    Refuse,
    Step,
)
from services.orders.timeouts import Timeouts
from services.payments import domain as payments
from services.shipping import domain as shipping

PAGE = Path(__file__).parents[2] / "docs" / "order-process.md"

INTRODUCTION = """\
# The order's process

Rendered from the tables in the code (`services/*/domain.py`, `services/orders/process.py`); a test holds it to them.

Four contexts agree on one order without a distributed transaction, while any message may be late, doubled or overtaken
and any process may die or freeze at any instruction. Each holds one state machine per order. An order orchestrates;
inventory, payments and shipping answer. Two words:

- *later*: only an old read can show this, or stock may be on its way back; the message is sent again to its queue, with
  a delay;
- *parked*: the protocol rules it out; if ten tries see the same, the message is stored for a person.

A command to one who has acted already is answered again with the outcome that stands: the same event id under a fresh
message id, nothing written. That is what makes a resend repair any lost reply.
"""


def page() -> str:
    """The whole page."""
    return "\n".join(
        [
            INTRODUCTION,
            *_orders(),
            *_commands("Inventory", inventory.PROCESS, inventory.State),
            *_commands("Payments", payments.PROCESS, payments.State),
            *_commands("Shipping", shipping.PROCESS, shipping.State),
        ]
    )


def _orders() -> Iterator[str]:
    yield "## Orders\n"
    yield "A fact about an order that isn't there at all is early: *later*.\n"
    timeouts = Timeouts()
    for step in Step:
        yield f"### {step} (`{STATUS[step]}`)\n"
        if step in OUTSTANDING:
            commands = ", ".join(OUTSTANDING[step])
            yield f"Resent: {commands}, after {timeouts.first_resend} doubling up to {timeouts.longest_resend}.\n"
        yield "| Trigger | What follows |\n|---|---|"
        yield from (f"| {trigger} | {_text(outcome)} |" for trigger, outcome in PROCESS[step].items())
        yield ""


def _text(outcome: Outcome) -> str:
    match outcome:
        case Move(to, sends, waiting_for, reason):
            waits = f", waiting for {' and '.join(sorted(waiting_for))}" if waiting_for else ""
            because = f", reason `{reason}` unless there is one" if reason else ""
            return f"**{to}**{waits}{because}; sends {', '.join(sends)}"
        case Keep():
            return "keeps the shipment's id, once; from now on sent again once a day"
        case Collect(reply, payment_due):
            remembers = "; remembers that the payment is due" if payment_due else ""
            return f"the reply about {reply} is in{remembers}; when all are, the order ends"
        case Early():
            return "early: *later*"
        case Ignore(because):
            return f"ignored, because {because}"
        case Refuse():
            return "refused: too late"


def _commands(name: str, process: Mapping[str, Mapping[Any, StrEnum]], states: type[StrEnum]) -> Iterator[str]:
    yield f"## {name}\n"
    yield "| State | " + " | ".join(process) + " |"
    yield "|---" * (len(process) + 1) + "|"
    for state in (None, *states):
        yield f"| {state or 'none yet'} | " + " | ".join(row[state] for row in process.values()) + " |"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(page())
