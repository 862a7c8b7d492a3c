"""Payments' commands. An intent is created first, stored, and only then confirmed: of two copies, only the intent whose
id is stored can ever hold money. An unclear answer of the provider is never guessed: the message goes later, and looks.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime

from services.payments.domain import (
    PROCESS,
    Act,
    DeclineCode,
    Intent,
    IntentStatus,
    Listed,
    Payment,
    Refusal,
    RefusedByProvider,
    State,
)
from services.payments.ports import Provider
from services.payments.repositories import Payments
from shared.concurrency import INNER_TIMEOUT_SECONDS
from shared.contracts import Contract
from shared.contracts.payments import (
    AuthorisePayment,
    CapturePayment,
    PaymentAuthorised,
    PaymentCaptured,
    PaymentDeclined,
    PaymentNotCaptured,
    PaymentVoided,
    VoidPayment,
)
from shared.errors import BrokenPromise, Contended, TooEarly, Transient, Unavailable
from shared.messaging import fact, has_given_up
from shared.outbox import Outbox
from shared.ports import System
from shared.telemetry import log


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What the handlers need."""

    payments: Payments
    provider: Provider
    outbox: Outbox
    system: System


async def handle(command: AuthorisePayment | VoidPayment | CapturePayment, deps: Dependencies) -> None:
    """Do what the payment's state makes of the command."""
    order_id = command.order_id
    payment = await deps.payments.get(order_id)
    act = PROCESS[type(command).__name__][payment.state if payment else None]
    match act:
        case Act.CREATE_INTENT:
            assert isinstance(command, AuthorisePayment)
            if has_given_up(command.give_up_at, deps.system):
                log.info("nothing is authorised for an order that has given up")
                return
            await _authorise(command, deps)
        case Act.TOMBSTONE:
            await deps.payments.save(
                Payment(order_id, State.VOIDED), [fact(PaymentVoided(order_id), order_id, deps.system)]
            )
        case Act.NOTHING:
            pass
        case Act.LATER:
            raise TooEarly(f"no authorisation for {order_id} yet")
        case Act.PARK:
            raise BrokenPromise(f"{type(command).__name__} for {order_id}, which is {payment and payment.state}")
        case _:
            assert payment
            await _STEPS[act](payment, deps)


async def get_payments(order_ids: Collection[str], deps: Dependencies) -> list[tuple[Payment, Intent | None, bool]]:
    """The payments of these orders, and what the provider says of each: None where there is no intent, or, with False,
    where it gave no answer in time."""

    async def look(payment: Payment) -> tuple[Payment, Intent | None, bool]:
        if payment.intent_id is None:
            return payment, None, True
        try:
            async with asyncio.timeout(INNER_TIMEOUT_SECONDS):
                return payment, await deps.provider.look(payment.intent_id), True
        except (Transient, TimeoutError) as failure:
            log.warning("what the provider says of the intent isn't known: %r", failure)
            return payment, None, False

    return await asyncio.gather(*map(look, await deps.payments.find(order_ids)))


async def list_intents(
    since: datetime, until: datetime, after: str | None, most: int, deps: Dependencies
) -> list[tuple[Listed, str | None]]:
    """Of the provider's own list those that were created in this time, newest first, each with the intent that the
    payment of its order names. Raises Unavailable where the provider gives no answer."""
    found = await deps.provider.created(since, until, after, most)
    payments = await deps.payments.find(sorted({each.order_id for each in found if each.order_id}))
    named = {each.order_id: each.intent_id for each in payments}
    return [(each, named.get(each.order_id or "")) for each in found]


async def _authorise(command: AuthorisePayment, deps: Dependencies) -> None:
    order_id = command.order_id
    try:
        intent = await deps.provider.create(order_id, command.amount, command.currency, command.payment_method)
    except RefusedByProvider as refused:
        declined = _refused(Payment(order_id, State.DECLINED, command.amount, command.currency), refused.refusal)
        await deps.payments.save(declined, [fact(_declined(declined), order_id, deps.system)])
        return
    # Whoever loses this race starts again, with AlreadyExists, on the winner's intent; its own holds no money.
    payment = await deps.payments.save(Payment(order_id, State.CREATED, command.amount, command.currency, intent.id))
    await _adopt(payment, await deps.provider.confirm(intent.id), deps)


async def _look(payment: Payment, deps: Dependencies) -> None:
    intent = await deps.provider.look(_intent(payment))
    if intent.status is IntentStatus.UNCONFIRMED:
        intent = await deps.provider.confirm(intent.id)
    await _adopt(payment, intent, deps)


async def _adopt(payment: Payment, intent: Intent, deps: Dependencies) -> None:
    """Store what the provider says about an intent that somebody confirmed."""
    match intent.status:
        case IntentStatus.HELD:
            held = replace(payment, authorised_until=intent.authorised_until)
            await _conclude(held, State.AUTHORISED, _authorised(held), deps)
        case IntentStatus.DECLINED | IntentStatus.NEEDS_ACTION | IntentStatus.CANCELLED:
            # Stored before the intent is cancelled, so that a frozen copy's confirmation finds it cancelled.
            declining = _refused(replace(payment, state=State.DECLINING), intent.refusal)
            await _decline(await deps.payments.save(declining), deps)
        case IntentStatus.CAPTURED:
            raise Contended(f"an old read of the payment of {payment.order_id}: its intent is captured already")
        case IntentStatus.UNCONFIRMED:
            raise Unavailable("the provider says that an intent which was just confirmed is not confirmed")


async def _decline(payment: Payment, deps: Dependencies) -> None:
    await _cancel(payment, deps)
    await _conclude(payment, State.DECLINED, _declined(payment), deps)


async def _decline_then_voided(payment: Payment, deps: Dependencies) -> None:
    await _decline(payment, deps)
    await _again(PaymentVoided(payment.order_id), payment, deps)


async def _void(payment: Payment, deps: Dependencies) -> None:
    await _finish_voiding(await deps.payments.save(replace(payment, state=State.VOIDING)), deps)


async def _finish_voiding(payment: Payment, deps: Dependencies) -> None:
    await _cancel(payment, deps)
    await _conclude(payment, State.VOIDED, PaymentVoided(payment.order_id), deps)


async def _cancel(payment: Payment, deps: Dependencies) -> None:
    intent = await deps.provider.cancel(_intent(payment))
    match intent.status:
        case IntentStatus.CANCELLED:
            return
        case IntentStatus.CAPTURED:
            raise BrokenPromise(f"the intent of {payment.order_id} is captured, and should be let go")
        case _:
            raise Unavailable(f"the provider has not let go of the intent of {payment.order_id}: it is {intent.status}")


async def _capture(payment: Payment, deps: Dependencies) -> None:
    intent = await deps.provider.capture(_intent(payment), payment.amount)
    refusal = intent.refusal
    if refusal and intent.status not in (IntentStatus.CAPTURED, IntentStatus.CANCELLED):
        # Refused for good, perhaps with the money still held: let go of it before saying so, or a frozen copy of this
        # handler might take it after all.
        intent = await deps.provider.cancel(_intent(payment))
    match intent.status:
        case IntentStatus.CAPTURED:
            await _conclude(payment, State.CAPTURED, PaymentCaptured(payment.order_id), deps)
        case IntentStatus.CANCELLED:
            lost = replace(payment, provider_code=refusal.provider_code if refusal else None)
            await _conclude(lost, State.NOT_CAPTURED, PaymentNotCaptured(payment.order_id), deps)
        case _:
            raise Unavailable(f"the provider says that the intent of {payment.order_id} is {intent.status}")


async def _conclude(payment: Payment, state: State, event: Contract, deps: Dependencies) -> None:
    await deps.payments.save(replace(payment, state=state), [fact(event, payment.order_id, deps.system)])


async def _again(event: Contract, payment: Payment, deps: Dependencies) -> None:
    await deps.outbox.publish_again(fact(event, payment.order_id, deps.system))


def _refused(payment: Payment, refusal: Refusal | None) -> Payment:
    refusal = refusal or Refusal(DeclineCode.PROVIDER_REFUSED, "cancelled")
    log.info("declined: %s (the provider's code: %s)", refusal.code, refusal.provider_code)
    return replace(payment, decline_code=refusal.code, provider_code=refusal.provider_code)


def _authorised(payment: Payment) -> PaymentAuthorised:
    return PaymentAuthorised(payment.order_id, payment.authorised_until)


def _declined(payment: Payment) -> PaymentDeclined:
    return PaymentDeclined(payment.order_id, payment.decline_code or DeclineCode.PROVIDER_REFUSED)


def _intent(payment: Payment) -> str:
    if payment.intent_id is None:
        raise BrokenPromise(f"the payment of {payment.order_id} is {payment.state} without an intent")
    return payment.intent_id


_STEPS: dict[Act, Callable[[Payment, Dependencies], Awaitable[None]]] = {
    Act.LOOK: _look,
    Act.FINISH_DECLINING: _decline,
    Act.DECLINE_THEN_VOIDED: _decline_then_voided,
    Act.VOID: _void,
    Act.FINISH_VOIDING: _finish_voiding,
    Act.CAPTURE: _capture,
    Act.AUTHORISED_AGAIN: lambda payment, deps: _again(_authorised(payment), payment, deps),
    Act.DECLINED_AGAIN: lambda payment, deps: _again(_declined(payment), payment, deps),
    Act.VOIDED_AGAIN: lambda payment, deps: _again(PaymentVoided(payment.order_id), payment, deps),
    Act.CAPTURED_AGAIN: lambda payment, deps: _again(PaymentCaptured(payment.order_id), payment, deps),
    Act.NOT_CAPTURED_AGAIN: lambda payment, deps: _again(PaymentNotCaptured(payment.order_id), payment, deps),
}
