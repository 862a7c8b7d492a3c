"""examples/orderflow.http, sent from above to below as an editor does it: every request is answered as it should be."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl

from scripts.http_examples import rendered
from scripts.openapi_document import DOCUMENT, SESSION
from simulation.callers import ADMIN, WAREHOUSE, customer
from simulation.topology import CONTEXTS
from simulation.world import Answer
from tests.unit.world import World

CALLERS = {"admin": ADMIN, "warehouse": WAREHOUSE, "customer": customer("ada")}
NOTHING_THERE = {f"{context}_{done}" for context in CONTEXTS for done in ("replay", "discard")} | {
    "let_disagreement_be"
}
REFUSED = {
    "cancel_order": "urn:orderflow:problem:too-late-to-cancel",
    **dict.fromkeys(NOTHING_THERE, "urn:orderflow:problem:not-found"),
}
"""The order is dispatched by then, nothing is parked, and all agree."""


def test_the_file_is_rendered_from_the_document() -> None:
    assert SESSION.read_text() == rendered(json.loads(DOCUMENT.read_text())), "stale: run scripts/openapi"


def requests() -> list[tuple[str, str, dict[str, str], str]]:
    """Name, path, headers and body of each request in the file."""
    found = []
    for block in SESSION.read_text().split("\n###")[1:]:
        head, _, body = block.partition("\n\n")
        _, name, target, *headers = head.splitlines()
        path = target.removeprefix(target.split("{{host}}")[0] + "{{host}}/api/")
        named = dict(header.split(": ", 1) for header in headers)
        found.append((name.removeprefix("# @name "), path, named, body.strip()))
    return found


class Editor:
    """Sends the file's requests, and remembers the answers by name."""

    def __init__(self) -> None:
        self.world = World()
        self.answers: dict[str, Answer] = {}

    async def send(self, name: str, path: str, headers: dict[str, str], body: str) -> Answer:
        route = re.sub(r"{(\w+)}", r"(?P<\1>.+)", self.world.functions[name].operation.route)
        path, _, query = path.partition("?")
        found = re.fullmatch(route, self.filled(path))
        assert found, path
        caller = CALLERS[headers.pop("Authorization", "Bearer {{admin}}").removeprefix("Bearer {{").rstrip("}")]
        sent = {header.lower(): self.filled(value) for header, value in headers.items()}
        answer = await self.world.call(
            name,
            json.loads(body) if body else None,
            route=found.groupdict(),
            query=dict(parse_qsl(query)),
            headers=sent,
            caller=caller,
        )
        await self.world.drain()
        self.answers[name] = answer
        return answer

    def filled(self, text: str) -> str:
        return re.sub(r"{{(\w+)\.response\.(\w+)\.([^}]+)}}", lambda found: self._told(*found.groups()), text)

    def _told(self, name: str, part: str, where: str) -> str:
        answer = self.answers[name]
        if part == "headers":
            return str(answer.headers[where])
        value: Any = answer.body
        for step in re.findall(r"\w+", where):
            value = value[int(step)] if step.isdigit() else value[step]
        return str(value)


async def test_sent_from_above_to_below_each_request_finds_what_it_needs() -> None:
    editor = Editor()
    await editor.world.stocked(MUG=9)
    [a_strangers] = await editor.world.confirmed(1)

    for request in requests():
        answer = await editor.send(*request)
        problem = answer.body["type"] if answer.status >= 400 else None
        assert problem == REFUSED.get(request[0]), (request, answer.body)

    document = json.loads(DOCUMENT.read_text())
    described = {each["operationId"] for methods in document["paths"].values() for each in methods.values()}
    assert editor.answers.keys() == described
    shipment = await editor.world.call("get_shipment", route={"shipmentId": f"shp_{a_strangers}"})
    assert shipment.body["status"] == "pending"
