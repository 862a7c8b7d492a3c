"""Payments' commands. An intent is created first, stored, and only then confirmed: of two copies, only the intent whose
id is stored can ever hold money. An unclear answer of the provider is never guessed: the message goes later, and looks.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from services.payments.domain import PROCESS, Act, Intent, IntentStatus, Payment, State, UnknownPaymentMethod
from services.payments.ports import Payments, Provider
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
from shared.errors import BrokenPromise, Contended, TooEarly, Unavailable
from shared.messaging import Announcements, Message, first
from shared.ports import System


@dataclass(frozen=True, slots=True)
class Cashier:
    """What the handlers need."""

    payments: Payments
    provider: Provider
    announcements: Announcements
    system: System

    def fact(self, event: Contract, order_id: str) -> Message:
        """The message that announces an event of this order."""
        return first(event, order_id, self.system.now())


async def handle(command: AuthorisePayment | VoidPayment | CapturePayment, cashier: Cashier) -> None:
    """Do what the payment's state makes of the command."""
    order_id = command.order_id
    payment = await cashier.payments.get(order_id)
    act = PROCESS[type(command).__name__][payment.state if payment else None]
    match act:
        case Act.CREATE_INTENT:
            assert isinstance(command, AuthorisePayment)
            await _authorise(command, cashier)
        case Act.TOMBSTONE:
            await cashier.payments.add(
                Payment(order_id, State.VOIDED), [cashier.fact(PaymentVoided(order_id), order_id)]
            )
        case Act.NOTHING:
            pass
        case Act.LATER:
            raise TooEarly(f"no authorisation for {order_id} yet")
        case Act.PARK:
            raise BrokenPromise(f"{type(command).__name__} for {order_id}, which is {payment and payment.state}")
        case _:
            assert payment
            await _STEPS[act](payment, cashier)


async def _authorise(command: AuthorisePayment, cashier: Cashier) -> None:
    order_id = command.order_id
    try:
        intent = await cashier.provider.create(order_id, command.amount, command.currency, command.payment_method)
    except UnknownPaymentMethod:
        declined = Payment(order_id, State.DECLINED, command.amount, command.currency)
        await cashier.payments.add(declined, [cashier.fact(PaymentDeclined(order_id), order_id)])
        return
    # Whoever loses this race starts again, with AlreadyExists, on the winner's intent; its own holds no money.
    payment = await cashier.payments.add(Payment(order_id, State.CREATED, command.amount, command.currency, intent.id))
    await _adopt(payment, await cashier.provider.confirm(intent.id), cashier)


async def _look(payment: Payment, cashier: Cashier) -> None:
    intent = await cashier.provider.look(_intent(payment))
    if intent.status is IntentStatus.UNCONFIRMED:
        intent = await cashier.provider.confirm(intent.id)
    await _adopt(payment, intent, cashier)


async def _adopt(payment: Payment, intent: Intent, cashier: Cashier) -> None:
    """Store what the provider says about an intent that somebody confirmed."""
    match intent.status:
        case IntentStatus.HELD:
            await _conclude(payment, State.AUTHORISED, PaymentAuthorised(payment.order_id), cashier)
        case IntentStatus.DECLINED | IntentStatus.NEEDS_ACTION | IntentStatus.CANCELLED:
            # Stored before the intent is cancelled, so that a frozen copy's confirmation finds it cancelled.
            await _decline(await cashier.payments.save(replace(payment, state=State.DECLINING)), cashier)
        case IntentStatus.CAPTURED:
            raise Contended(f"an old read of the payment of {payment.order_id}: its intent is captured already")
        case IntentStatus.UNCONFIRMED:
            raise Unavailable("the provider says that an intent which was just confirmed is not confirmed")


async def _decline(payment: Payment, cashier: Cashier) -> None:
    await _cancel(payment, cashier)
    await _conclude(payment, State.DECLINED, PaymentDeclined(payment.order_id), cashier)


async def _decline_then_voided(payment: Payment, cashier: Cashier) -> None:
    await _decline(payment, cashier)
    await _again(PaymentVoided(payment.order_id), payment, cashier)


async def _void(payment: Payment, cashier: Cashier) -> None:
    await _finish_voiding(await cashier.payments.save(replace(payment, state=State.VOIDING)), cashier)


async def _finish_voiding(payment: Payment, cashier: Cashier) -> None:
    await _cancel(payment, cashier)
    await _conclude(payment, State.VOIDED, PaymentVoided(payment.order_id), cashier)


async def _cancel(payment: Payment, cashier: Cashier) -> None:
    intent = await cashier.provider.cancel(_intent(payment))
    if intent.status is not IntentStatus.CANCELLED:
        raise BrokenPromise(f"the intent of {payment.order_id} is {intent.status}, and should be let go")


async def _capture(payment: Payment, cashier: Cashier) -> None:
    intent = await cashier.provider.capture(_intent(payment), payment.amount)
    match intent.status:
        case IntentStatus.CAPTURED:
            await _conclude(payment, State.CAPTURED, PaymentCaptured(payment.order_id), cashier)
        case IntentStatus.CANCELLED:
            await _conclude(payment, State.NOT_CAPTURED, PaymentNotCaptured(payment.order_id), cashier)
        case _:
            raise Unavailable(f"the provider says that the intent of {payment.order_id} is {intent.status}")


async def _conclude(payment: Payment, state: State, event: Contract, cashier: Cashier) -> None:
    await cashier.payments.save(replace(payment, state=state), [cashier.fact(event, payment.order_id)])


async def _again(event: Contract, payment: Payment, cashier: Cashier) -> None:
    await cashier.announcements.answer_again(cashier.fact(event, payment.order_id))


def _intent(payment: Payment) -> str:
    if payment.intent_id is None:
        raise BrokenPromise(f"the payment of {payment.order_id} is {payment.state} without an intent")
    return payment.intent_id


_STEPS: dict[Act, Callable[[Payment, Cashier], Awaitable[None]]] = {
    Act.LOOK: _look,
    Act.FINISH_DECLINING: _decline,
    Act.DECLINE_THEN_VOIDED: _decline_then_voided,
    Act.VOID: _void,
    Act.FINISH_VOIDING: _finish_voiding,
    Act.CAPTURE: _capture,
    Act.AUTHORISED_AGAIN: lambda payment, cashier: _again(PaymentAuthorised(payment.order_id), payment, cashier),
    Act.DECLINED_AGAIN: lambda payment, cashier: _again(PaymentDeclined(payment.order_id), payment, cashier),
    Act.VOIDED_AGAIN: lambda payment, cashier: _again(PaymentVoided(payment.order_id), payment, cashier),
    Act.CAPTURED_AGAIN: lambda payment, cashier: _again(PaymentCaptured(payment.order_id), payment, cashier),
    Act.NOT_CAPTURED_AGAIN: lambda payment, cashier: _again(PaymentNotCaptured(payment.order_id), payment, cashier),
}
