"""The world of the tests: every context in one thread, and every answer held to what the API promises of all."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from scripts.api_answers import answers
from shared.access import Caller
from shared.http import Operation
from shared.problems import PROBLEM_TYPES
from simulation import world
from simulation.world import Answer


class World(world.World):
    """Looks at every answer, and does what many tests begin with."""

    def answered(self, operation: Operation, answer: Answer) -> None:
        if operation.response or answer.status >= 400:
            keeps_the_conventions(answer)
        is_declared(operation, answer)

    async def confirmed(self, number: int) -> list[str]:
        """So many orders of one MUG, a second apart, that the warehouse knows of."""
        ids = []
        for _ in range(number):
            ids.append(await self.placed(("MUG", 1)))
            await self.drain()
            await self.system.sleep(1)
        return ids

    async def follow(self, link: str, **other: str) -> Answer:
        """What is behind a link from page to page, some of its parameters changed."""
        parts = urlsplit(link)
        assert (parts.scheme, parts.netloc, parts.path) == ("", "", "/api/shipments")
        return await self.call("list_shipments", query=dict(parse_qsl(parts.query)) | other)

    async def orders_listed(self, caller: Caller, **query: str) -> list[list[str]]:
        """The orders that a caller's list has, by pages, from link to link."""
        pages = []
        while True:
            page = await self.call("list_orders", query=query, caller=caller)
            assert page.status == 200, page.body
            pages.append(orders_of(page))
            if "nextLink" not in page.body:
                return pages
            query = dict(parse_qsl(urlsplit(page.body["nextLink"]).query))

    async def shipments(self, **query: str) -> list[list[str]]:
        """The orders whose shipments are listed, by pages, from link to link."""
        page = await self.call("list_shipments", query=query)
        pages = [orders_of(page)]
        while "nextLink" in page.body:
            page = await self.follow(page.body["nextLink"])
            pages.append(orders_of(page))
        return pages


_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def keeps_the_conventions(answer: Answer) -> None:
    """What docs/api.md says of every answer is true of this one."""
    named = [*members(answer.body)]
    times = [value for name, value in named if name.endswith("At") and value is not None]
    links = [value for name, value in named if name == "nextLink"]
    assert [time for time in times if not _TIME.fullmatch(time)] == []
    assert [link for link in (*links, answer.headers.get("Location", "/api/")) if not link.startswith("/api/")] == []
    assert ("WWW-Authenticate" in answer.headers) == (answer.status == 401)
    assert (answer.status in {429, 503}) == ("Retry-After" in answer.headers)
    if answer.status >= 400:
        assert answer.mimetype == "application/problem+json"
        assert answer.body["status"] == answer.status
        assert answer.body["type"].startswith("urn:orderflow:problem:")


def members(body: Any) -> Iterator[tuple[str, Any]]:
    """Every name in it, however deep, with its value."""
    if isinstance(body, dict):
        yield from body.items()
    for each in body.values() if isinstance(body, dict) else body if isinstance(body, list) else ():
        yield from members(each)


def is_declared(operation: Operation, answer: Answer) -> None:
    """What isn't declared isn't in openapi.json, and whoever made a client of that doesn't expect it."""
    declared = answers(operation)
    assert answer.status in declared, f"{operation.id} answers {answer.status}, which it doesn't declare"
    if answer.status >= 400:
        type = answer.body["type"].removeprefix(PROBLEM_TYPES)
        assert type in declared[answer.status][1], f"{operation.id}: name `{type}` in the words of {answer.status}"


def orders_of(page: Answer) -> list[str]:
    """The orders of a page's shipments."""
    return [each["orderId"] for each in page.body["value"]]
