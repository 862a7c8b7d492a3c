"""Nobody gets in: every function that the app registers, called over HTTP by everybody who may not call it.

The cells are made from the declarations, so that a new function is in the matrix by itself. A call that is refused
costs the stores, the broker and the provider not one request, let alone a write; and the same call by whoever may make
it gets past the door, so that a server which refuses everybody fails, too.
"""

import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from local.identity import issuer
from local.verify.looking import look
from local.verify.reading import Reader, reader
from shared.access import Role
from shared.http import API, Operation
from shared.problems import PROBLEM_TYPES
from tests.e2e.stack import AT_REST, Stack, small_order, stack
from tests.processes import until
from tests.unit.access_page import operations
from tests.unit.test_access import OPEN
from tests.unit.tokens import encoded

pytestmark = pytest.mark.stack

OWNER, STRANGERS = "ada", ("bob", "guest-bob")
SKU = "MUG-1"

BODIES: dict[str, Any] = {
    "correct_shipment": {"carrier": "DHL"},
    "dispatch_shipment": {"carrier": "Royal Mail", "trackingNumber": "RM1"},
    "import_products": {"products": [{"sku": SKU, "name": "A mug", "price": {"amount": 251, "currency": "GBP"}}]},
    "place_order": small_order(SKU, customerId=OWNER),
    "put_stock": {"onHand": 77},
}
"""Of what would be done, were it let in. An operation that isn't here is called with an empty object."""

NO_TOKEN = "no token"
FAULTS = (
    "expired",
    "not yet valid",
    "wrong audience",
    "wrong issuer",
    "wrong key",
    "unlisted key",
    "alg none",
    "HMAC with the public key",
)
GUARDED = [each for each in operations() if each.roles]
CALLS = [(each, role) for each in GUARDED for role in Role]
ALLOWED = [(each, role) for each, role in CALLS if role in each.roles]
# Of a token in a role that may not anyway, a refusal would say nothing of what else is wrong with it.
FORGED = [(each, None, NO_TOKEN) for each in GUARDED] + [(*call, fault) for call in ALLOWED for fault in FAULTS]
FORBIDDEN = [(each, role) for each, role in CALLS if role not in each.roles]
STRANGE = [(each, subject) for each in GUARDED if each.owned for subject in STRANGERS]
UNGUARDED = [each for each in operations() if not each.roles]


def name(part: object) -> str | None:
    """A cell's name is made of its operation's, the role and what is wrong with the token."""
    return part.id if isinstance(part, Operation) else str(part) if part else ""


class Tokens:
    """Makes tokens of a stack's issuer that are good, or bad in one respect alone."""

    def __init__(self, of: issuer.Issuer) -> None:
        self._address, self._key = of.address, of.keys[0]
        self._another = rsa.generate_private_key(65537, 2048)

    def token(self, role: str, subject: str, fault: str = "") -> str:
        now = int(time.time())
        algorithm, kid = "RS256", self._key.kid
        key: Any = self._key.private_key
        claims = {"iss": self._address, "aud": issuer.AUDIENCE, "sub": subject, "roles": [role], "exp": now + 3600}
        match fault:
            case "expired":
                claims["exp"] = now - 60
            case "not yet valid":
                claims["nbf"] = now + 600
            case "wrong audience":
                claims["aud"] = "another"
            case "wrong issuer":
                claims["iss"] = f"{self._address}/"
            case "wrong key":
                key = self._another
            case "unlisted key":
                kid, key = "unlisted", self._another
            case "alg none":
                algorithm, key = "none", None
            case "HMAC with the public key":
                algorithm, key = "HS256", self._key.as_pem(private=False)
        signed = f"{encoded({'alg': algorithm, 'typ': 'JWT', 'kid': kid})}.{encoded(claims)}"
        return f"{signed}.{encoded(jwt.get_algorithm_by_name(algorithm).sign(signed.encode(), key))}"


@dataclass
class Shop:
    """A stack at rest with an order of ada's that waits for its dispatch."""

    running: Stack
    tokens: Tokens
    http: httpx.AsyncClient
    reader: Reader
    order: str = ""

    async def call(self, operation: Operation, token: str | None, **named: str) -> httpx.Response:
        """The operation on ada's things, or on those named."""
        things = {"orderId": self.order, "shipmentId": f"shp_{self.order}", "customerId": OWNER, "sku": SKU} | named
        path = re.sub(r"\{(\w+)\}", lambda found: things.get(found[1], "none"), operation.route)
        headers = {"Content-Type": operation.media_type, "If-Match": "*"} if operation.method == "PATCH" else {}
        return await self.http.request(
            operation.method,
            path,
            headers=headers | ({"Authorization": f"Bearer {token}"} if token else {}),
            json=BODIES.get(operation.id, {}) if operation.request else None,
        )

    def good(self, role: Role, customer: str = OWNER) -> str:
        return self.tokens.token(role, customer if role is Role.CUSTOMER else role)

    async def asked(self) -> list[Any]:
        """What the store and the provider have been asked, and the broker has done, since they began."""
        cosmos, provider, broker = [
            (await self.http.get(f"{self.running.control(part)}/_stats")).json()
            for part in ("cosmos", "payment_provider", "service_bus")
        ]
        return [cosmos["requests"], provider["requests"], broker["byEntity"]]

    async def stored(self) -> list[Any]:
        """Every document of every container, and every message."""
        return [
            *[sorted(map(json.dumps, await self.reader.query(context))) for context in self.reader.contexts],
            await self.reader.intents(),
            (await self.http.get(f"{self.running.control('service_bus')}/_entities")).json(),
        ]

    async def sell(self) -> None:
        """Until the order is confirmed, and nothing is under way."""
        [importing] = [each for each in operations() if each.id == "import_products"]
        [counting] = [each for each in operations() if each.id == "put_stock"]
        [placing] = [each for each in operations() if each.id == "place_order"]
        for each in (importing, counting):
            (await self.call(each, self.good(Role.ADMIN))).raise_for_status()
        headers = {"Authorization": f"Bearer {self.good(Role.CUSTOMER)}"}

        async def priced() -> bool:
            return (await self.http.get(f"prices/{SKU}", headers=headers)).status_code == 200

        async def confirmed() -> bool:
            answer = await self.http.get(f"orders/{self.order}", headers=headers)
            return bool(answer.json()["status"] == "confirmed")

        await until(priced)
        self.order = (await self.call(placing, self.good(Role.CUSTOMER))).raise_for_status().json()["orderId"]
        await until(confirmed)
        assert all(finding.holds for finding in await look(self.running.state, wait=30))


@pytest.fixture(scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    with pytest.MonkeyPatch.context() as patched:
        for setting, value in AT_REST.items():
            patched.setenv(setting, value)
        with stack(tmp_path_factory.mktemp("matrix") / "state") as running:
            async with AsyncExitStack() as opened:
                http = await opened.enter_async_context(httpx.AsyncClient(base_url=f"{running.api}/", timeout=30))
                reading = await opened.enter_async_context(reader(running.state))
                shop = Shop(running, Tokens(issuer.read(running.state)), http, reading)
                await shop.sell()
                yield shop


@pytest.fixture(scope="module")
async def stored(shop: Shop) -> list[Any]:
    """What was stored before the first call was refused."""
    return await shop.stored()


def problem(answer: httpx.Response) -> str:
    """The type of the problem that was answered."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code
    return str(answer.json()["type"]).removeprefix(PROBLEM_TYPES)


async def test_the_functions_that_the_host_has_are_those_of_the_matrix_and_what_is_open_is_listed(shop: Shop) -> None:
    listed = (await shop.http.get(f"{shop.running.api.removesuffix(API)}/admin/functions")).json()
    bindings = [binding for each in listed for binding in each["config"]["bindings"] if "route" in binding]
    registered = {f"{method} {binding['route']}" for binding in bindings for method in binding["methods"]}

    assert registered == {f"{each.method} {each.route}" for each in operations()}
    assert {f"{each.method} {each.route}" for each in UNGUARDED} == OPEN
    cells = len(FORGED) + len(FORBIDDEN) + len(STRANGE) + len(UNGUARDED) + len(ALLOWED)
    print(f"{len(registered)} functions, {cells} cells")  # noqa: T201 - a figure that is reported


@pytest.mark.parametrize(("operation", "role", "fault"), FORGED, ids=name)
async def test_without_a_good_token_a_call_is_401_and_asks_nobody_anything(
    shop: Shop, stored: list[Any], operation: Operation, role: Role | None, fault: str
) -> None:
    before = await shop.asked()
    token = shop.tokens.token(role, OWNER, fault) if role else None
    answer = await shop.call(operation, token)

    assert (answer.status_code, problem(answer)) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert await shop.asked() == before


@pytest.mark.parametrize(("operation", "role"), FORBIDDEN, ids=name)
async def test_a_role_that_may_not_is_403_and_asks_nobody_anything(
    shop: Shop, stored: list[Any], operation: Operation, role: Role
) -> None:
    before = await shop.asked()
    answer = await shop.call(operation, shop.good(role))

    assert (answer.status_code, problem(answer)) == (403, "forbidden")
    assert await shop.asked() == before


@pytest.mark.parametrize(("operation", "customer"), STRANGE, ids=name)
async def test_what_is_another_customers_is_as_if_it_were_not_there(
    shop: Shop, stored: list[Any], operation: Operation, customer: str
) -> None:
    missing = f"ord_{uuid4().hex}"
    token = shop.good(Role.CUSTOMER, customer)
    answer, of_nothing = [
        await shop.call(operation, token, orderId=order, shipmentId=f"shp_{order}") for order in (shop.order, missing)
    ]

    if "{" in operation.route:
        assert (answer.status_code, problem(answer)) == (404, "not-found")
        told, nothing = [(told.text, {**told.headers}) for told in (answer, of_nothing)]
        for _, headers in (told, nothing):
            for own in ("x-request-id", "traceparent", "date"):
                headers.pop(own, None)
        assert (told[0].replace(shop.order, missing), told[1]) == nothing
    else:
        assert answer.status_code in (200, 403)
        assert shop.order not in answer.text
    assert await shop.stored() == stored


@pytest.mark.parametrize("operation", UNGUARDED, ids=name)
async def test_what_is_open_asks_nobody_anything(shop: Shop, operation: Operation) -> None:
    before = await shop.asked()
    answer = await shop.call(operation, None)

    assert answer.status_code == (404 if "{" in operation.route else 200)
    assert await shop.asked() == before


async def test_nothing_that_was_refused_is_stored(shop: Shop, stored: list[Any]) -> None:
    assert await shop.stored() == stored


@pytest.mark.parametrize(("operation", "role"), ALLOWED, ids=name)
async def test_whoever_may_gets_past_the_door(shop: Shop, operation: Operation, role: Role) -> None:
    answer = await shop.call(operation, shop.good(role))

    assert answer.status_code < 500
    assert answer.status_code not in (401, 403)
    assert answer.headers["X-Request-Id"], "no function answered"
