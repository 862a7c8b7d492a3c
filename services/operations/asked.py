"""What operations asks the others when somebody looks: what an order waits for and holds, and how each context is."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from services.operations.ports import Contexts, Said
from shared.errors import Unavailable
from shared.http import API, invalid_query
from shared.waits import WaitPage, WaitsQuery

type Answer = dict[str, Any]

_MEMBERS = {"orders": "total", "inventory": "units", "payments": "providerAnswered"}
"""By which what a context says of an order is known for that."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the others say of an order: None where that is nothing, or they gave no answer; `unknown` names those."""

    wait: Answer | None
    reservations: Answer | None
    payment: Answer | None
    unknown: tuple[str, ...]

    @property
    def words(self) -> str:
        """In words, what it waits for and what is held for it."""
        return " ".join([*self._waits(), *self._holds(), *(f"What {each} says isn't known." for each in self.unknown)])

    def _waits(self) -> Iterator[str]:
        if self.wait and self.wait["awaiting"]:
            replies = " and ".join("{1} to answer {2}".format(*type.split(".")) for type in self.wait["awaiting"])
            shipment = self.wait.get("shipmentId") if self.wait["waiting"] == "dispatch" else None
            whom = f"the warehouse to dispatch {shipment}" if shipment else replies
            yield f"Since {self.wait['since']} it has waited for {whom}."
            yield f"That was asked again {self.wait['chases']} times, and is asked next at {self.wait['chaseAt']}."
            given_up = self.wait.get("giveUpAt")
            yield f"It is given up at {given_up}." if given_up else "It is never given up."

    def _holds(self) -> Iterator[str]:
        if self.reservations:
            units = ", ".join(f"{number} {state}" for state, number in self.reservations["units"].items())
            yield f"Inventory: {self.reservations['decision']}; units: {units or 'none'}."
        if self.payment and (intent := self.payment["provider"]):
            yield f"Payments: {self.payment['state']}; the provider holds {intent['held']}, has {intent['captured']}."
        elif self.payment:
            yield f"Payments: {self.payment['state']}; the provider says nothing of it."


async def holdings(order_id: str, contexts: Contexts) -> Holdings:
    """What orders, inventory and payments say of an order."""
    id = quote(order_id, safe="")
    said = await _all(
        {"orders": f"waits/{id}", "inventory": f"reservations/{id}", "payments": f"payments/{id}"}, contexts
    )
    known = {name: each.body for name, each in said.items() if each and _MEMBERS[name] in each.body}
    unknown = tuple(name for name, each in said.items() if name not in known and (each is None or each.status != 404))
    return Holdings(known.get("orders"), known.get("inventory"), known.get("payments"), unknown)


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
    if said is None or "value" not in said.body:
        raise Unavailable("orders gave no answer")
    page = WaitPage.model_validate(said.body)
    link = page.next_link and page.next_link.replace(f"{API}/waits?", f"{API}/operations/orders?")
    return page.model_copy(update={"next_link": link})


async def _all(paths: Mapping[str, str], contexts: Contexts) -> dict[str, Said | None]:
    """Each context's answer at its path; all are asked at once."""
    said = await asyncio.gather(*(contexts.ask(context, path) for context, path in paths.items()))
    return dict(zip(paths, said, strict=True))
