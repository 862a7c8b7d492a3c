"""What operations asks the others when somebody looks: what an order waits for and holds, and how each context is."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from urllib.parse import quote, urlencode

from pydantic import ValidationError

from services.operations.ports import Contexts, Said
from shared.contracts.orders import Waiting
from shared.currencies import in_words
from shared.errors import Unavailable
from shared.fields import MoneyView, View, optional
from shared.http import API, invalid_query
from shared.paging import Page
from shared.waits import StandingView, WaitPage, WaitsQuery, WaitView


class LineView(View, extra="allow"):
    """Of one product."""

    sku: str


class ReservedView(View, extra="allow"):
    """What inventory says of an order, as `GET /api/reservations/{orderIds}` has it."""

    order_id: str
    decision: str
    lines: list[LineView]
    units: dict[str, int]


class IntentView(View, extra="allow"):
    """The provider's side of a payment."""

    held: int
    captured: int


class PaidView(View, extra="allow"):
    """What payments says of an order, as `GET /api/payments/{orderIds}` has it."""

    order_id: str
    state: str
    amount: MoneyView | None = optional()
    provider: IntentView | None
    provider_answered: bool


class StockView(View):
    """What inventory says of a product's stock, as `GET /api/stock/{sku}/reserved` has it."""

    sku: str
    on_hand: int
    available: int
    reserved: int | None


class ListedIntentView(IntentView):
    """What the provider has, and payments names, as `GET /api/payments` has it."""

    intent_id: str
    currency: str
    order_id: str | None = optional()
    payment_intent_id: str | None = optional()
    created_at: str


@dataclass(frozen=True, slots=True)
class Holdings:
    """What orders, inventory and payments say of some orders, by order; None where one gave no answer."""

    orders: Mapping[str, StandingView] | None
    inventory: Mapping[str, ReservedView] | None
    payments: Mapping[str, PaidView] | None

    @property
    def unknown(self) -> list[str]:
        """Who gave no answer."""
        return [each.name for each in fields(self) if getattr(self, each.name) is None]


async def holdings(order_ids: Iterable[str], contexts: Contexts) -> Holdings:
    """What each says of these orders now: each is asked once about all."""
    ids = ",".join(quote(order_id, safe="") for order_id in order_ids)
    paths = {"orders": f"waits/{ids}", "inventory": f"reservations/{ids}", "payments": f"payments/{ids}"}
    said = await _all(paths, contexts)
    return Holdings(
        _by_order(said["orders"], Page[StandingView]),
        _by_order(said["inventory"], Page[ReservedView]),
        _by_order(said["payments"], Page[PaidView]),
    )


def understood[V: View](said: Said | None, view: type[V]) -> V | None:
    """What a context said, as that; None where it is something else, or nothing."""
    try:
        return view.model_validate(said.body) if said else None
    except ValidationError:
        return None


def _by_order[V: StandingView | ReservedView | PaidView](
    said: Said | None, page: type[Page[V]]
) -> Mapping[str, V] | None:
    known = understood(said, page)
    return {each.order_id: each for each in known.value} if known else None


class HoldingsView(View):
    """What the others say of the order now."""

    words: str
    wait: StandingView | None
    """What orders says that it waits for, and how far it is."""
    reservations: ReservedView | None
    payment: PaidView | None
    unknown: list[str]
    """Contexts that gave no answer."""

    @classmethod
    def of(cls, order_id: str, said: Holdings) -> "HoldingsView":
        """What they said of it."""
        wait = (said.orders or {}).get(order_id)
        reserved = (said.inventory or {}).get(order_id)
        payment = (said.payments or {}).get(order_id)
        strange = ["Orders knows no such order."] if wait is None and said.orders is not None else []
        words = [
            *strange,
            *_waits(wait),
            *_holds(reserved, payment),
            *(f"What {each} says isn't known." for each in said.unknown),
        ]
        return cls(words=" ".join(words), wait=wait, reservations=reserved, payment=payment, unknown=said.unknown)


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
        currency = payment.amount.currency if payment.amount else ""
        held, captured = (in_words(each, currency) for each in (intent.held, intent.captured))
        yield f"Payments: {payment.state}; the provider holds {held}, has {captured}."
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
