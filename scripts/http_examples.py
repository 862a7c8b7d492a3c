"""Renders examples/orderflow.http from openapi.json: every operation once, so that each finds what it needs.

For editors that send requests from a file, such as VS Code with REST Client: what a request needs of another's answer
is written as `{{name.response.body.$.path}}`.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

INTRODUCTION = """\
# Every operation of the API once, from above to below: rendered from openapi.json by scripts/openapi.
# Start the system (scripts/run), and paste tokens: scripts/local token --role admin, and so on; the customer's is of
# scripts/local token --role customer --customer ada

@host = http://127.0.0.1:7071
@admin = paste-a-token
@warehouse = paste-a-token
@customer = paste-a-token
"""
_AREAS = (
    *("products", "stock", "prices", "orders", "shipments"),
    *("waits", "reservations", "payments", "operations"),
)
"""Those of an order's journey, in its order; what else there is comes behind it."""
_METHODS = ("post", "put", "get", "patch", "delete")
_CALLERS = ("customer", "warehouse", "admin", "support")
"""As whom an operation is called: the first whom it lets."""
_PLACED = "{{place_order.response.body.$.orderId}}"
_OF_THE_ORDER = {"orderIds": _PLACED, "shipmentId": f"shp_{_PLACED}"}
"""What is known by the order that was placed: the first of a list may be a stranger's."""


@dataclass(frozen=True, slots=True)
class _Step:
    method: str
    path: str
    operation: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.operation["operationId"])

    @property
    def in_path(self) -> list[str]:
        return re.findall(r"{(\w+)}", self.path)

    @property
    def success(self) -> Mapping[str, Any]:
        [first, *_] = [answer for status, answer in self.operation["responses"].items() if status < "300"]
        return first  # type: ignore[no-any-return]

    @property
    def order(self) -> tuple[Any, ...]:
        area, method = self.operation["tags"][0], _METHODS.index(self.method)
        if area not in _AREAS:
            return 2, area, self.path, method
        at = _AREAS.index(area)
        if self.method in ("get", "put") or not self.in_path:
            return 0, at, len(self.in_path), method, self.path
        # What changes something that is there comes last, and furthest on in an order's life first.
        return 1, -at, method, self.path


def rendered(document: Mapping[str, Any]) -> str:
    """The whole file."""
    steps = [_Step(method, path, each) for path, of in document["paths"].items() for method, each in of.items()]
    steps.sort(key=lambda step: step.order)
    return INTRODUCTION + "".join(_request(step, steps) for step in steps)


def _request(step: _Step, steps: Sequence[_Step]) -> str:
    path = re.sub(r"{(\w+)}", lambda parameter: _value(step, parameter[1], steps), step.path)
    lines = [f"\n### {step.operation['summary']}", f"# @name {step.name}"]
    lines.append(f"{step.method.upper()} {{{{host}}}}{path}{_query(step)}")
    lines += _headers(step, steps)
    for media, content in step.operation.get("requestBody", {}).get("content", {}).items():
        lines += [f"Content-Type: {media}", "", json.dumps(content["example"], indent=2, ensure_ascii=False)]
    return "\n".join(lines) + "\n"


def _value(step: _Step, parameter: str, steps: Sequence[_Step]) -> str:
    """What an earlier answer leads there with, or else the example."""
    if parameter in _OF_THE_ORDER:
        return _OF_THE_ORDER[parameter]
    for before in sorted(_before(step, steps), key=lambda each: each.operation["tags"] != step.operation["tags"]):
        link = before.success.get("links", {}).get(step.name)
        if link and parameter in link["parameters"] and parameter not in before.in_path:
            where = link["parameters"][parameter].removeprefix("$response.body#/")
            return f"{{{{{before.name}.response.body.$.{re.sub(r'/(\d+)', r'[\1]', where).replace('/', '.')}}}}}"
    [example] = [each["example"] for each in step.operation["parameters"] if each["name"] == parameter]
    return str(example)


def _query(step: _Step) -> str:
    """The parameters that it can't do without."""
    needed = [each for each in step.operation["parameters"] if each["in"] == "query" and each["required"]]
    given = urlencode({each["name"]: each["schema"]["examples"][0] for each in needed}, quote_via=quote)
    return f"?{given}" if given else ""


def _headers(step: _Step, steps: Sequence[_Step]) -> Iterator[str]:
    if step.operation["security"]:
        [caller, *_] = [each for each in _CALLERS if each in step.operation["x-roles"]]
        yield f"Authorization: Bearer {{{{{caller}}}}}"
    if any(each["name"] == "If-Match" and each["required"] for each in step.operation["parameters"]):
        read = [each.name for each in _before(step, steps) if each.in_path == step.in_path and "ETag" in _sent(each)]
        yield f"If-Match: {{{{{read[-1]}.response.headers.ETag}}}}"


def _before(step: _Step, steps: Sequence[_Step]) -> Sequence[_Step]:
    return steps[: steps.index(step)]


def _sent(step: _Step) -> Mapping[str, Any]:
    headers: Mapping[str, Any] = step.success.get("headers", {})
    return headers
