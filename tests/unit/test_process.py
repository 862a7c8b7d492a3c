"""The process tables are complete, agree with one another, and are what docs/order-process.md shows."""

from pathlib import Path

import pytest

from services.inventory import domain as inventory
from services.orders import process as orders
from services.orders.functions import FACTS
from services.orders.process import FINAL, OUTSTANDING, PROCESS, Collect, Move, Send, Step, Trigger
from services.payments import domain as payments
from services.shipping import domain as shipping
from shared.messaging import contract_name
from tests.unit.process_page import page

COMMANDS = {Send.RELEASE_STOCK, Send.COMMIT_STOCK, Send.VOID_PAYMENT, Send.CAPTURE_PAYMENT} | {
    Send.RESERVE_STOCK,
    Send.AUTHORISE_PAYMENT,
    Send.CREATE_SHIPMENT,
    Send.CANCEL_SHIPMENT,
}


def test_every_step_says_what_every_trigger_does() -> None:
    assert set(PROCESS) == set(Step)
    assert all(set(row) == set(Trigger) for row in PROCESS.values())


@pytest.mark.parametrize("context", [inventory, payments, shipping], ids=lambda module: module.__name__)
def test_every_command_says_what_it_does_in_every_state(context: object) -> None:
    states = {None, *context.State}  # type: ignore[attr-defined]
    assert all(set(row) == states for row in context.PROCESS.values())  # type: ignore[attr-defined]
    used = {act for row in context.PROCESS.values() for act in row.values()}  # type: ignore[attr-defined]
    assert used == set(context.Act)  # type: ignore[attr-defined]


def test_every_fact_is_a_trigger_and_every_trigger_but_the_customers_and_the_clocks_is_a_fact() -> None:
    assert {contract_name(fact) for fact in FACTS} | {"cancel", "give up"} == set(Trigger)


@pytest.mark.parametrize("step", sorted(set(Step) - FINAL))
def test_what_an_order_sends_when_it_comes_to_a_step_is_what_a_resend_sends(step: Step) -> None:
    for row in PROCESS.values():
        for outcome in row.values():
            if isinstance(outcome, Move) and outcome.to is step:
                commands = {send for send in outcome.sends if send in COMMANDS}
                due = {
                    send for send, reply in OUTSTANDING[step].items() if reply is None or reply in outcome.waiting_for
                }
                assert commands == due


@pytest.mark.parametrize("step", sorted(Step))
def test_a_reply_is_collected_only_where_an_order_can_wait_for_it(step: Step) -> None:
    replies = {outcome.reply for outcome in PROCESS[step].values() if isinstance(outcome, Collect)}
    waits = {
        reply
        for row in PROCESS.values()
        for o in row.values()
        if isinstance(o, Move) and o.to is step
        for reply in o.waiting_for
    }
    assert replies == waits


def test_an_order_only_comes_to_later_steps_as_lists_by_status_rely_on() -> None:
    steps = [*Step]
    moves = [(step, out.to) for step, row in PROCESS.items() for out in row.values() if isinstance(out, Move)]
    assert [move for move in moves if steps.index(move[0]) >= steps.index(move[1])] == []


@pytest.mark.parametrize("step", sorted(FINAL))
def test_nothing_moves_a_final_order(step: Step) -> None:
    assert not any(isinstance(outcome, Move | orders.Keep | Collect) for outcome in PROCESS[step].values())
    assert step not in OUTSTANDING


def test_docs_order_process_is_rendered_from_the_tables() -> None:
    written = Path(__file__).parents[2] / "docs" / "order-process.md"
    assert written.read_text() == page(), "run: python -m tests.unit.process_page"
