"""Who may call what: without a good token nobody, and with one whoever has a role that the function names."""

import ast
import json
import os
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from shared.access import Caller, Role
from shared.adapters.memory import MemoryContainer
from simulation.callers import ADMIN, GUEST, token
from simulation.topology import CONTEXTS
from simulation.world import order_body
from tests.infra.application import ENVIRONMENT
from tests.unit.access_page import PAGE, operations, page
from tests.unit.world import World

SERVICES = Path(__file__).parents[2] / "services"
PAGES = {"GET openapi.json", "GET docs", "GET docs/{file}", "GET console", "GET console/{file}"}
OPEN = PAGES | {f"GET health/{context}/live" for context in CONTEXTS}
"""What needs no token. A function comes in here on purpose, or not at all."""

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


class UntouchedContainer(MemoryContainer):
    """Fails a test that asks it for anything."""

    async def read(self, *_: Any) -> Any:
        pytest.fail("somebody without a good token had the store work")

    read_many = write = find = read  # type: ignore[assignment]


@pytest.mark.parametrize("authorization", AUTHORIZATIONS)
async def test_who_shows_no_good_token_costs_no_store_anything(authorization: str) -> None:
    world = World(container=UntouchedContainer)
    asked = [each.id for each in operations() if each.roles]

    answers = [await world.call(name, order_body(), headers={"authorization": authorization}) for name in asked]

    assert {answer.status for answer in answers} == {401}
    assert not world.broker.sent


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


def test_docs_access_is_rendered_from_the_declarations() -> None:
    assert PAGE.read_text() == page(), "run: python -m tests.unit.access_page"


def test_every_function_that_the_app_has_over_http_declares_who_may_call_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(os, "environ", ENVIRONMENT)
        functions = import_module("function_app").build().get_functions()
    over_http = {
        f"{method} {binding['route']}": function.get_user_function()
        for function in functions
        for binding in map(json.loads, function.get_raw_bindings())
        if binding["type"] == "httpTrigger"
        for method in binding["methods"]
    }
    assert {name for name, each in over_http.items() if not each.operation.roles} == OPEN
    assert [over_http[f"{each.method} {each.route}"].operation for each in operations()] == operations()
    assert len(over_http) == len(operations())


def test_what_is_declared_to_have_an_owner_is_asked_for_with_them_and_nothing_else_is() -> None:
    heed, declared = set(), set()
    for file in SERVICES.glob("*/functions.py"):
        for handler in ast.walk(ast.parse(file.read_text())):
            if isinstance(handler, ast.AsyncFunctionDef):
                if any(ast.unparse(node) == "call.customer" for node in ast.walk(handler)):
                    heed.add(handler.name)
                if "owned=True" in "".join(map(ast.unparse, handler.decorator_list)):
                    declared.add(handler.name)
    assert heed == declared != set()
