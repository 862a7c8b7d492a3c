"""openapi.json is what the functions declare, and its examples do what it says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.functions import HttpResponse
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from openapi_spec_validator import OpenAPIV31SpecValidator

from scripts.openapi_document import DOCUMENT, rendered
from simulation.world import Answer
from tests.unit.access_page import operations
from tests.unit.problems_page import PROBLEMS
from tests.unit.world import World, is_declared


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    """What is committed."""
    document: dict[str, Any] = json.loads(DOCUMENT.read_text())
    return document


def each_operation(described: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["operationId"]: each for methods in described["paths"].values() for each in methods.values()}


def test_the_document_is_what_the_functions_declare() -> None:
    assert DOCUMENT.read_text() == rendered(operations()), "stale: run scripts/openapi, and look at what changed"


def test_the_document_is_the_same_in_whatever_order_they_are_registered() -> None:
    assert rendered(reversed(operations())) == rendered(operations())


def test_the_document_is_openapi(described: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(described).validate()


def test_whoever_needs_no_token_is_told_so_and_nobody_else(described: dict[str, Any]) -> None:
    for name, operation in each_operation(described).items():
        assert ("401" in operation["responses"]) is bool(operation["security"]), name
        assert bool(operation["security"]) is not name.endswith("_live"), name


def test_every_type_of_problem_stands_where_it_is_answered_with_an_example_that_was(described: dict[str, Any]) -> None:
    assert described["components"]["examples"].keys() == PROBLEMS.keys()

    conflict = each_operation(described)["dispatch_shipment"]["responses"]["409"]
    examples = conflict["content"]["application/problem+json"]["examples"]
    assert examples.keys() == {"cannot-dispatch", "payment-lapsed"}


@pytest.mark.parametrize(
    ("status", "response"),
    [("408", "RequestTimeout"), ("414", "URITooLong"), ("431", "RequestHeaderFieldsTooLarge")],
    ids=["too slow", "an address too long", "headers too long"],
)
def test_what_the_host_refuses_itself_stands_with_every_operation_and_has_no_body(
    described: dict[str, Any], status: str, response: str
) -> None:
    for name, operation in each_operation(described).items():
        assert operation["responses"][status] == {"$ref": f"#/components/responses/{response}"}, name
    assert described["components"]["responses"][response].keys() == {"description"}


def test_what_a_function_answers_and_does_not_declare_fails_a_test() -> None:
    operation = World().functions["cancel_order"].operation
    problem = {"type": "urn:orderflow:problem:made-up", "status": 409}

    for status, fault in ((418, "answers 418, which it doesn't declare"), (409, "name `made-up` in the words of 409")):
        with pytest.raises(AssertionError, match=fault):
            is_declared(operation, Answer(HttpResponse(json.dumps(problem), status_code=status, mimetype="json")))


def test_an_answer_leads_to_what_it_names(described: dict[str, Any]) -> None:
    of = each_operation(described)

    placed = of["place_order"]["responses"]["201"]["links"]
    listed = of["list_shipments"]["responses"]["200"]["links"]

    assert placed["get_order"]["parameters"] == {"orderId": "$response.body#/orderId"}
    assert "cancel_order" in placed
    assert "get_customer_data" not in placed  # its customer may be null
    assert listed["get_shipment"]["parameters"] == {"shipmentId": "$response.body#/value/0/shipmentId"}


def test_a_field_that_may_be_left_out_is_never_null(described: dict[str, Any]) -> None:
    order = described["components"]["schemas"]["OrderView"]

    assert "reason" not in order["required"]
    assert order["properties"]["declineCode"]["type"] == "string"
    assert "settledAt" in order["required"]
    assert {"type": "null"} in order["properties"]["settledAt"]["anyOf"]


def test_what_is_sent_is_described_as_generators_of_clients_understand_it(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]

    # They have a field with a default sent by every caller, and name after its place what stands in line.
    listed = schemas["ProductImport"]["properties"]["listed"]
    assert listed == {"type": "boolean", "description": "Whether it can be bought. True where left out."}
    assert schemas["ProductsImport"]["properties"]["products"]["items"] == {
        "$ref": "#/components/schemas/ProductImport"
    }
    for name, schema in schemas.items():
        assert not [field for field, of in schema.get("properties", {}).items() if "default" in of], name
    for name, operation in each_operation(described).items():
        assert all("type" in each["schema"] for each in operation["parameters"] if each["in"] == "header"), name


def test_every_parameter_of_a_query_and_a_header_says_what_it_means(described: dict[str, Any]) -> None:
    for name, operation in each_operation(described).items():
        told = [each for each in operation["parameters"] if each["in"] != "path"]
        assert [each["name"] for each in told if "description" not in each] == [], name


HEADERS = ("ETag", "Location", "X-Request-Id", "traceparent")


class Client:
    """Sends the document's examples, and holds each answer to what the document says of it."""

    def __init__(self, described: dict[str, Any]) -> None:
        self._described = described
        self._of = each_operation(described)
        self.world = World()
        self.sent: set[str] = set()

    async def send(self, name: str, headers: dict[str, str] | None = None, **route: str) -> Answer:
        """The operation's example; the ids in the path are those of the world."""
        of = self._of[name]
        [(media_type, content)] = of.get("requestBody", {"content": {"application/json": {}}})["content"].items()
        path = {each["name"]: each["example"] for each in of["parameters"] if each["in"] == "path"}
        needed = {each["name"] for each in of["parameters"] if each["in"] == "header" and each["required"]}
        assert needed == set(headers or {}), name
        sent = {"content-type": media_type} | {each.lower(): value for each, value in (headers or {}).items()}
        answer = await self.world.call(name, content.get("example"), route=path | route, headers=sent)
        response = of["responses"][str(answer.status)]
        assert answer.status < 300, answer.body
        schema = response["content"]["application/json"]["schema"] | {"components": self._described["components"]}
        OAS31Validator(schema, format_checker=oas31_format_checker).validate(answer.body)
        told = {header for header in HEADERS if header in answer.headers}
        assert told == set(response.get("headers", {})), name
        self.sent.add(name)
        await self.world.drain()
        return answer


async def test_every_example_is_answered_as_the_document_says(described: dict[str, Any]) -> None:
    client = Client(described)

    for name in ("import_products", "put_stock", "get_product", "get_stock", "get_price"):
        await client.send(name)
    order = (await client.send("place_order")).body["orderId"]
    await client.send("get_order", orderId=order)
    await client.send("list_shipments")
    for name in ("get_shipment", "dispatch_shipment"):
        await client.send(name, shipmentId=f"shp_{order}")
    seen = await client.send("get_shipment", shipmentId=f"shp_{order}")
    await client.send("correct_shipment", {"If-Match": seen.headers["ETag"]}, shipmentId=f"shp_{order}")
    await client.send("cancel_order", orderId=(await client.send("place_order")).body["orderId"])

    with_example = {name for name, each in each_operation(described).items() if "requestBody" in each}
    assert with_example <= client.sent
