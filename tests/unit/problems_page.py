"""Renders docs/problems.md from what the functions answer: `python -m tests.unit.problems_page` writes it."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from shared.errors import Unavailable
from shared.ports import WireMessage
from shared.problems import PROBLEM_TYPES
from shared.telemetry import log
from simulation.callers import GUEST, SUPPORT
from simulation.world import ENVIRONMENT, Answer, order_body
from tests.unit.world import World

ORDERS_PER_MINUTE = 3
PAGE = Path(__file__).parents[2] / "docs" / "problems.md"

INTRODUCTION = f"""\
# Problems

Rendered by `python -m tests.unit.problems_page`, which makes each of them happen; a test holds the page to that, and to
every refusal in the code.

Every refusal is `application/problem+json` ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)): `type`, `title`,
`status`, mostly a `detail`, and with wrong fields `errors`, each with a `pointer` into the body
([RFC 6901](https://www.rfc-editor.org/rfc/rfc6901)). Branch on `type`, which is `{PROBLEM_TYPES}` and a heading of
this page: it names the problem and leads nowhere. The other texts are for people, and may change. No value of a body is
repeated back. But for `internal` and `unavailable`, nothing was written.
"""


@dataclass(frozen=True, slots=True)
class Problem:
    """A type of problem: when it is answered, what its caller is to do, and how it comes about."""

    when: str
    remedy: str
    example: Callable[[World], Awaitable[Answer]]


async def _count(world: World, on_hand: int, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await world.call("put_stock", {"onHand": on_hand}, route={"sku": "MUG"}, headers=named)


async def _below_reserved(world: World) -> Answer:
    await world.confirmed(2)
    return await _count(world, 1)


async def _cannot_correct(world: World) -> Answer:
    [order] = await world.confirmed(1)
    return await _corrected(world, order, {"if-match": "*"})


async def _corrected(world: World, order: str, headers: Mapping[str, str]) -> Answer:
    route = {"shipmentId": f"shp_{order}"}
    return await world.call("correct_shipment", {"carrier": "DHL"}, route=route, headers=headers)


async def _cannot_dispatch(world: World) -> Answer:
    [order] = await world.confirmed(1)
    await world.dispatched(order)
    other = {"carrier": "DHL", "trackingNumber": "2"}
    return await world.call("dispatch_shipment", other, route={"shipmentId": f"shp_{order}"})


async def _cannot_replay(world: World) -> Answer:
    await world.deliver("payments", WireMessage("m-1", b"not json"))
    return await world.call("payments_replay", route={"parkedId": "m-1"})


async def _key_reused(world: World) -> Answer:
    await world.placed(("MUG", 1), key="k-1")
    return await world.call("place_order", order_body(("MUG", 2)), headers={"idempotency-key": "k-1"})


async def _internal(world: World) -> Answer:
    return await _with_reads_failing(world, KeyError("a fault of ours"))


async def _unavailable(world: World) -> Answer:
    return await _with_reads_failing(world, Unavailable("away"))


async def _not_ready(world: World) -> Answer:
    _fail_reads(world, Unavailable("Cosmos DB answered 503"), "payments")
    return await world.call("payments_ready")


async def _with_reads_failing(world: World, failure: Exception) -> Answer:
    _fail_reads(world, failure)
    return await world.call("get_order", route={"orderId": "ord_1"}, caller=SUPPORT)


def _fail_reads(world: World, failure: Exception, context: str = "orders") -> None:
    async def fail(*_: Any) -> None:
        raise failure

    world.containers[context].read = fail  # type: ignore[method-assign, assignment]


async def _payment_lapsed(world: World) -> Answer:
    world.provider.authorised_until = world.system.now() + timedelta(days=5)
    [order] = await world.confirmed(1)
    await world.system.sleep(timedelta(days=5).total_seconds())
    return await world.dispatched(order)


async def _too_many_orders(world: World) -> Answer:
    for _ in range(ORDERS_PER_MINUTE):
        await world.placed(("MUG", 1))
    return await world.call("place_order", order_body(("MUG", 1)))


async def _too_late_to_cancel(world: World) -> Answer:
    order = await world.placed(("MUG", 99))
    await world.drain()
    return await world.call("cancel_order", route={"orderId": order}, caller=SUPPORT)


def _order(**changes: Any) -> Callable[[World], Awaitable[Answer]]:
    return lambda world: world.call("place_order", order_body(("MUG", 2), **changes))


def _raw(body: bytes, **headers: str) -> Callable[[World], Awaitable[Answer]]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda world: world.call("place_order", raw=body, headers=named)


PROBLEMS: Mapping[str, Problem] = {
    "below-reserved": Problem(
        "A stock count is below what is set aside for orders under way.",
        "Count again, or cancel orders until what is set aside is there.",
        _below_reserved,
    ),
    "body-too-large": Problem(
        "The body has more than 1 MiB, or 8 in an import.", "Send less at a time.", _raw(b" " * (1024 * 1024 + 1))
    ),
    "cannot-correct": Problem(
        "The shipment wasn't dispatched: there is nothing to put right.",
        "Read the shipment, and dispatch it with what is right.",
        _cannot_correct,
    ),
    "cannot-dispatch": Problem(
        "The shipment was cancelled, or dispatched with other data, perhaps corrected since.",
        "Read the shipment; what was cancelled stays in the house, and what was typed wrong is corrected.",
        _cannot_dispatch,
    ),
    "cannot-replay": Problem(
        "The parked message can't be read, or is forgotten with the order's customer.",
        "Deploy a version that can read it, or discard it.",
        _cannot_replay,
    ),
    "forbidden": Problem(
        "The token's roles don't let its bearer do this, or a customer names another as an order's customer.",
        "Ask for the role, see [who may do what](access.md), or leave `customerId` out.",
        lambda world: world.call("import_products", {"products": []}, caller=GUEST),
    ),
    "idempotency-key-reused": Problem(
        "The `Idempotency-Key` stands for an order, or a count, with another body.",
        "Send the body that it was first sent with, or take a new key.",
        _key_reused,
    ),
    "internal": Problem(
        "A fault of ours. It is logged with the answer's `X-Request-Id`. Something may have been written.",
        "Tell us the `X-Request-Id`. Repeat only under the same `Idempotency-Key`.",
        _internal,
    ),
    "invalid-body": Problem(
        "Fields of the body are wrong; `errors` names each, all at once (of more than 3,000, none by name).",
        "Mend every field that is named.",
        _order(email="nobody", gift=True),
    ),
    "invalid-header": Problem(
        "A header, which the title names, isn't understood, has two values where it takes one, or asks for what the "
        "operation doesn't do.",
        "Mend the header, or leave it out.",
        lambda world: _count(world, 1, idempotency_key='"open'),
    ),
    "invalid-query": Problem(
        "A query parameter isn't valid or isn't known, or an `after` belongs to another list or caller.",
        "Mend the parameter, or leave it out; begin a list anew.",
        lambda world: world.call("list_shipments", query={"limit": "0"}),
    ),
    "invalid-sku": Problem(
        "The path holds no SKU.", "Mend the path.", lambda world: world.call("get_product", route={"sku": "a%b"})
    ),
    "length-required": Problem(
        "The body came in chunks.", "Send it whole, with a `Content-Length`.", _raw(b"", transfer_encoding="chunked")
    ),
    "not-found": Problem(
        "There is no such thing, perhaps not yet or no more, or it is another customer's.",
        "Look at the id. What was made a moment ago may be there in a moment.",
        lambda world: world.call("get_product", route={"sku": "NONE"}),
    ),
    "not-json": Problem(
        "The body isn't JSON; `detail` says at which line and column it stops being it.",
        "Mend the body.",
        _raw(b'{"email": }'),
    ),
    "not-ready": Problem(
        "A context can't reach its container or the broker. `dependencies` says which, and what is wrong.",
        "See to what is away; the context is looked at anew after `Retry-After` seconds.",
        _not_ready,
    ),
    "payment-lapsed": Problem(
        "The money for the shipment is no longer held.",
        'Cancel the order, or say `"acceptPaymentRisk": true` to send the goods all the same.',
        _payment_lapsed,
    ),
    "precondition-failed": Problem(
        "`If-Match` or `If-None-Match` doesn't hold of what is stored.",
        "Read it anew, decide again, and send the `ETag` that was read.",
        lambda world: _count(world, 1, if_none_match="*"),
    ),
    "precondition-required": Problem(
        "A `PATCH` has no `If-Match`.",
        "Read what is to be changed, decide, and send the `ETag` that was read.",
        lambda world: _corrected(world, "ord_1", {}),
    ),
    "too-late-to-cancel": Problem(
        "The order is shipped, or over.", "Read the order: its `status` says how it ended.", _too_late_to_cancel
    ),
    "too-many-orders": Problem(
        "The caller has placed as many orders as one may in a minute.",
        "Try again after `Retry-After` seconds, under the same `Idempotency-Key`: it is unused.",
        _too_many_orders,
    ),
    "total-changed": Problem(
        "The order would cost something else than its `expectedTotal`. It has `total` and `lines`, which say what; the "
        "`Idempotency-Key` is unused.",
        "Show the buyer the new total, and order again with what they agree to.",
        _order(expectedTotal={"amount": 400, "currency": "GBP"}),
    ),
    "unauthenticated": Problem(
        "There is no token, or one that proves nothing; `WWW-Authenticate` says what is wanted.",
        "Get a token from the shop's issuer, and send `Authorization: Bearer <token>`.",
        lambda world: world.call("get_product", route={"sku": "MUG"}, headers={"authorization": ""}),
    ),
    "unavailable": Problem(
        "A store is away or busy. Something may have been written.",
        "Try the same again after `Retry-After` seconds, an order under the same `Idempotency-Key`.",
        _unavailable,
    ),
    "unsupported-media-type": Problem(
        "The body isn't declared as JSON in UTF-8, of a `PATCH` as a JSON merge patch, or is encoded.",
        "Send `Content-Type: application/json`, with a `PATCH` what `Accept-Patch` says, and no `Content-Encoding`.",
        _raw(b"{}", content_type="text/plain"),
    ),
}


async def example(problem: Problem) -> Answer:
    """What is answered when it comes about in a shop that has ten mugs."""
    world = World(environment=ENVIRONMENT | {"ORDERS_PER_CUSTOMER_PER_MINUTE": str(ORDERS_PER_MINUTE)})
    await world.stocked(MUG=10)
    return await problem.example(world)


async def page() -> str:
    """The whole page."""
    sections = [INTRODUCTION]
    for type, problem in PROBLEMS.items():
        answer = await example(problem)
        assert answer.body["type"] == PROBLEM_TYPES + type
        body = json.dumps(answer.body, ensure_ascii=False, indent=2)
        sections.append(
            f"## {type}\n\n**{answer.status}**: {problem.when}\n\n{problem.remedy}\n\n```json\n{body}\n```\n"
        )
    return "\n".join(sections)


if __name__ == "__main__":
    log.setLevel(logging.CRITICAL)
    PAGE.write_text(asyncio.run(page()))
