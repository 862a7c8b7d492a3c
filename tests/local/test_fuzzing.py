"""What `scripts/fuzz` sends, and what it takes for a fault."""

from collections import Counter
from collections.abc import Mapping

import pytest

from local.identity.issuer import Issuer, new_key
from tests.fuzz.answers import Answer, fault
from tests.fuzz.described import Operation
from tests.fuzz.requests import SPOILING, Attempt, Maker

PLACE = Operation(
    "place_order",
    "POST",
    "/api/orders/{orderId}",
    ["limit"],
    "application/json",
    [{"lines": [{"sku": "MUG-1"}]}],
    frozenset({201, 400, 401}),
)
BY_FUNCTION = {"x-request-id": "1", "content-type": "application/problem+json"}
PROBLEM = b'{"type": "urn:orderflow:problem:not-json", "title": "The body is not valid JSON.", "status": 400}'


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer("http://127.0.0.1:1", [new_key()])


def made(issuer: Issuer, seed: int, number: int, round: int = 1) -> Attempt:
    return Maker(seed, issuer, "127.0.0.1:2", [PLACE]).attempt(number, ["ord_1", "ord_2"], round)


def test_a_request_is_a_function_of_seed_and_number(issuer: Issuer) -> None:
    first = [made(issuer, 1, number) for number in range(50)]

    assert [made(issuer, 1, number) for number in range(50)] == first
    assert [made(issuer, 2, number) for number in range(50)] != first


def test_requests_are_spoilt_in_every_way_and_some_are_good(issuer: Issuer) -> None:
    ways = Counter(way for number in range(500) for way in made(issuer, 1, number).spoilt)
    assert ways.keys() == SPOILING.keys()


def test_a_path_that_is_shorter_for_what_it_names_is_another_s(issuer: Issuer) -> None:
    targets = {each.wire.split()[1].partition(b"?")[0]: each for each in (made(issuer, 1, n) for n in range(3000))}
    assert not {b"/api/orders/", b"/api/orders/.", b"/api/orders/.."}.isdisjoint(targets)
    for target, each in targets.items():
        if target in (b"/api/orders/", b"/api/orders/.", b"/api/orders/.."):
            assert each.elsewhere


def attempt(*, reaches: bool = True, elsewhere: bool = False) -> Attempt:
    return Attempt(1, PLACE, ("value",), b"", reaches, elsewhere)


@pytest.mark.parametrize(
    ("status", "headers", "body", "said"),
    [
        (500, BY_FUNCTION, b"", "it is 500"),
        (503, BY_FUNCTION | {"retry-after": "2"}, b"", "it is 503"),
        (400, BY_FUNCTION, b'Traceback (most recent call last):\n  File "x.py"', "400 tells of b'Traceback'"),
        (400, BY_FUNCTION, b'{"detail": "azure.cosmos said no"}', "400 tells of b'azure'"),
        (400, BY_FUNCTION | {"content-type": "text/html"}, PROBLEM, "400 is no problem+json"),
        (400, BY_FUNCTION, PROBLEM.replace(b"400", b"422"), "400 is no problem+json"),
        (400, BY_FUNCTION, b"<html>", "400 is no problem+json"),
        (409, BY_FUNCTION, PROBLEM, "409 is undocumented"),
        (200, BY_FUNCTION, b"{}", "200 is undocumented"),
        (401, BY_FUNCTION, PROBLEM, "401 without WWW-Authenticate"),
        (404, {}, b"", "404 is the host's"),
        (201, BY_FUNCTION | {"x-injected": "yes"}, b"{}", "a header was injected"),
    ],
)
def test_what_is_wrong_with_an_answer_is_found(status: int, headers: Mapping[str, str], body: bytes, said: str) -> None:
    assert fault(attempt(), Answer(status, {**headers}, body)) == said


def test_that_there_is_no_answer_is_wrong_where_there_was_a_request() -> None:
    assert fault(attempt(), None) == "there was no answer"
    assert fault(attempt(reaches=False), None) is None


def test_what_is_no_request_of_an_operations_may_be_answered_by_the_host_or_another() -> None:
    assert fault(attempt(reaches=False), Answer(400, {}, b"")) is None
    assert fault(attempt(reaches=False), Answer(431, {}, b"")) == "431 is undocumented"
    assert fault(attempt(reaches=False, elsewhere=True), Answer(431, {}, b"")) is None
    assert fault(attempt(reaches=False, elsewhere=True), Answer(200, {**BY_FUNCTION}, b"{}")) is None


def test_an_answer_as_it_should_be_is_none() -> None:
    assert fault(attempt(), Answer(400, {**BY_FUNCTION}, PROBLEM)) is None
    assert fault(attempt(), Answer(201, {**BY_FUNCTION}, b"{}")) is None
