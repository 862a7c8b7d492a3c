"""What operations asks the others when somebody looks: what an order waits for and holds, and how each context is."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Literal
from urllib.parse import quote, urlencode

from pydantic import ValidationError

from services.operations.ports import Contexts, Said
from shared.contracts.orders import Waiting
from shared.errors import Unavailable
from shared.fields import MoneyView, View
from shared.http import API, invalid_query
from shared.waits import WaitPage, WaitsQuery, WaitView

type Status = Literal[
    "pending", "confirmed", "cancelling", "shipped", "completed", "payment_due", "cancelled", "rejected"
]


class OrderedView(WaitView, extra="allow"):
    """As `GET /api/waits/{orderId}` has it."""

    status: Status
    total: MoneyView
    units: int


class ReservedView(View, extra="allow"):
    """As `GET /api/reservations/{orderId}` has it."""

    decision: str
    units: dict[str, int]


class IntentView(View, extra="allow"):
    """The provider's side of a payment."""

    held: int
    captured: int


class PaidView(View, extra="allow"):
    """As `GET /api/payments/{orderId}` has it."""

    state: str
    provider: IntentView | None
    provider_answered: bool


class HoldingsView(View):
    """What the others say of the order now."""

    words: str
    wait: OrderedView | None
    """What orders says that it waits for, and how far it is."""
    reservations: ReservedView | None
    payment: PaidView | None
    unknown: list[str]
    """Contexts that gave no answer."""


def understood[V: View](said: Said | None, view: type[V]) -> V | None:
    """What a context said, as that; None where it is something else, or nothing."""
    try:
        return view.model_validate(said.body) if said else None
    except ValidationError:
        return None


async def holdings(order_id: str, contexts: Contexts) -> HoldingsView:
    """What orders, inventory and payments say of an order."""
    id = quote(order_id, safe="")
    said = await _all(
        {"orders": f"waits/{id}", "inventory": f"reservations/{id}", "payments": f"payments/{id}"}, contexts
    )
    wait = understood(said["orders"], OrderedView)
    reserved = understood(said["inventory"], ReservedView)
    payment = understood(said["payments"], PaidView)
    known = dict(zip(said, (wait, reserved, payment), strict=True))
    unknown = [name for name, each in said.items() if not known[name] and not (each and each.status == 404)]
    strange = ["Orders knows no such order."] if wait is None and "orders" not in unknown else []
    words = [
        *strange,
        *_waits(wait),
        *_holds(reserved, payment),
        *(f"What {each} says isn't known." for each in unknown),
    ]
    return HoldingsView(words=" ".join(words), wait=wait, reservations=reserved, payment=payment, unknown=unknown)


def _waits(wait: WaitView | None) -> Iterator[str]:
    if wait and wait.awaiting:
        whom = " and ".join("{1} to answer {2}".format(*type.split(".")) for type in wait.awaiting)
        if wait.waiting is Waiting.DISPATCH and wait.shipment_id:
            whom = f"the warehouse to dispatch {wait.shipment_id}"
        yield f"Since {wait.since} it has waited for {whom}."
        yield f"That was asked again {wait.chases} times, and is asked next at {wait.chase_at}."
        yield f"It is given up at {wait.give_up_at}." if wait.give_up_at else "It is never given up."


def _holds(reserved: ReservedView | None, payment: PaidView | None) -> Iterator[str]:
    if reserved:
        units = ", ".join(f"{number} {state}" for state, number in reserved.units.items())
        yield f"Inventory: {reserved.decision}; units: {units or 'none'}."
    if payment and (intent := payment.provider):
        yield f"Payments: {payment.state}; the provider holds {intent.held}, has {intent.captured}."
    elif payment:
        provider = "has none of it" if payment.provider_answered else "gives no answer"
        yield f"Payments: {payment.state}; the provider {provider}."


async def readiness(contexts: Contexts) -> Mapping[str, Said | None]:
    """What each context says of itself."""
    return await _all({name: f"health/{name}/ready" for name in contexts.names}, contexts)


async def parked(subject: str | None, contexts: Contexts) -> Mapping[str, Said | None]:
    """The first page of what each context has parked, of one order or product alone where it is named."""
    about = f"?{urlencode({'subject': subject})}" if subject else ""
    return await _all({name: f"parked/{name}{about}" for name in contexts.names}, contexts)


async def waiting(query: WaitsQuery, contexts: Contexts) -> WaitPage:
    """A page of the orders that wait; its link leads to operations' own. Refused as orders refuses it; raises
    Unavailable where that gives no answer."""
    given = query.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    texts = {name: ",".join(value) if isinstance(value, list) else value for name, value in given.items()}
    said = await contexts.ask("orders", f"waits?{urlencode(texts)}")
    if said and said.status == 400:
        raise invalid_query("after", str(said.body.get("detail")))
    page = understood(said, WaitPage)
    if page is None:
        raise Unavailable("orders gave no answer")
    link = page.next_link and page.next_link.replace(f"{API}/waits?", f"{API}/operations/orders?")
    return page.model_copy(update={"next_link": link})


async def _all(paths: Mapping[str, str], contexts: Contexts) -> dict[str, Said | None]:
    """Each context's answer at its path; all are asked at once."""
    said = await asyncio.gather(*(contexts.ask(context, path) for context, path in paths.items()))
    return dict(zip(paths, said, strict=True))
