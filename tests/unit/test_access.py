"""Who may call what: without a good token nobody, and with one whoever has a role that the function names."""

import pytest

from shared.access import Caller, Role
from tests.unit.world import ADMIN, GUEST, World, order_body, token

AUTHORIZATIONS = ["", "Bearer", "Bearer ", "Basic YTpi", "bearer", "Bearer made-up"]


@pytest.mark.parametrize("authorization", AUTHORIZATIONS)
async def test_without_a_good_token_a_caller_is_told_to_show_one(authorization: str) -> None:
    world = World()
    answer = await world.call("get_order", route={"orderId": "ord_1"}, headers={"authorization": authorization})

    assert (answer.status, answer.body["type"]) == (401, "urn:orderflow:problem:unauthenticated")
    expected = 'Bearer error="invalid_token"' if "made-up" in authorization else "Bearer"
    assert answer.headers["WWW-Authenticate"] == expected


async def test_who_calls_is_looked_at_before_anything_else_of_a_request() -> None:
    world = World()
    answer = await world.call("place_order", raw=b"{", query={"a": "b"}, headers={"authorization": ""})
    assert answer.status == 401
    assert (await world.call("place_order", raw=b"{", query={"a": "b"}, caller=ADMIN)).status == 403


async def test_a_role_that_may_not_is_told_which_one_may() -> None:
    answer = await World().call("import_products", {"products": []}, caller=GUEST)

    assert (answer.status, answer.body["type"]) == (403, "urn:orderflow:problem:forbidden")
    assert answer.body["detail"] == "It takes the role admin."


async def test_a_token_without_any_role_may_do_nothing() -> None:
    world = World()
    assert (await world.call("get_product", route={"sku": "MUG"}, caller=Caller("ada", frozenset()))).status == 403


async def test_the_scheme_is_read_in_any_case_and_white_space_around_the_token_is_no_part_of_it() -> None:
    world = World()
    await world.stocked(MUG=1)
    headers = {"authorization": f"bEARER   {token(GUEST)} "}
    assert (await world.call("place_order", order_body(("MUG", 1)), headers=headers)).status == 201


@pytest.mark.parametrize(
    ("roles", "allowed", "expected"),
    [
        ({Role.CUSTOMER, Role.ADMIN}, {Role.CUSTOMER, Role.SUPPORT}, Role.CUSTOMER),
        ({Role.CUSTOMER, Role.SUPPORT}, {Role.CUSTOMER, Role.SUPPORT}, Role.SUPPORT),
        ({Role.WAREHOUSE, Role.ADMIN}, {Role.WAREHOUSE, Role.ADMIN}, Role.ADMIN),
        ({Role.WAREHOUSE}, {Role.CUSTOMER}, None),
    ],
)
def test_who_has_several_roles_acts_as_the_strongest_that_is_allowed(
    roles: set[Role], allowed: set[Role], expected: Role | None
) -> None:
    assert Caller("ada", frozenset(roles)).role_among(allowed) is expected
