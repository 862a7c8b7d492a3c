"""Renders openapi.json, the description of the API, from what each HTTP function declares: `scripts/openapi`.

A declaration says what only the operation knows. What the edge adds to all of them (shared/http.py: who may call, how
a body and a query are refused, what goes wrong on our side) is derived here; examples of problems are those of
docs/problems.md, which were made to happen.
"""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter

from scripts import http_examples
from scripts.api_answers import REFUSALS, answers, in_path
from scripts.openapi_schemas import SCHEMAS, Schema, array, name_of, reference, referred, schemas_of, without_defaults
from shared.fields import MOST_IDS, Sku
from shared.http import API, Operation
from shared.problems import PROBLEM_TYPES
from tests.unit.access_page import operations

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "openapi.json"
EXAMPLES = ROOT / "examples" / "requests.json"
"""For each operation that takes a body (`bodies`), one that is good; and of each part of a path (`paths`)."""
SESSION = ROOT / "examples" / "orderflow.http"
PROBLEMS = ROOT / "docs" / "problems.md"

_ABOUT = """\
Order fulfilment for shops: no order lost, nothing oversold, nobody charged twice.

- Every operation but those of `health` takes a token of the shop's OpenID issuer; its roles say what its bearer may do.
- A shop imports its products and counts its stock. An order's status says how far it is: ask for it again, with the
  `ETag` in `If-None-Match`, until it is what you wait for.
- Amounts are integers in minor units: 250 with GBP is £2.50. Times are RFC 3339 in UTC.
- Fields and parameters that aren't described are refused; in answers there may be more some day. A field of an answer
  that has nothing to say is left out, unless it is required.
- A refusal is a problem (RFC 9457). After 429 and 503 try again when `Retry-After` says. An order that is sent again
  under its `Idempotency-Key` is placed once: send it again whenever there was no answer."""
_BEARER: Schema = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "A token of the shop's OpenID issuer, with one of the roles customer, warehouse, operations, "
    "support and admin.",
}
_TEXT: Schema = {"type": "string"}
_PROBLEM: Schema = {
    "type": "object",
    "description": "Why a request was refused (RFC 9457). Branch on `type`, of which there may be more some day; the "
    "other texts are for people. Some types have further fields, see their examples.",
    "properties": {
        "type": {"type": "string", "format": "uri", "pattern": f"^{PROBLEM_TYPES}[a-z-]+$"},
        "title": _TEXT,
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": _TEXT,
        "errors": {
            "type": "array",
            "description": "Each wrong field of the body once.",
            "items": {
                "type": "object",
                "properties": {"pointer": {"type": "string", "description": "RFC 6901."}, "detail": _TEXT},
                "required": ["pointer", "detail"],
            },
        },
    },
    "required": ["type", "title", "status"],
}
_SENT: dict[str, Schema] = {
    "ETag": _TEXT | {"description": "Names this state of it, quotes included."},
    "Location": {"type": "string", "format": "uri-reference", "description": "The path of what was made."},
    "Retry-After": {"type": "string", "pattern": "^[0-9]+$", "description": "In seconds."},
    "WWW-Authenticate": _TEXT | {"description": "What the caller has to show (RFC 6750)."},
    "X-Request-Id": _TEXT | {"description": "The caller's, or a fresh one; the log has it."},
    "traceparent": _TEXT | {"description": "The caller's, or a fresh one (W3C Trace Context)."},
}
_WITH_EVERY_ANSWER = ("X-Request-Id", "traceparent")
_WITH_A_STATUS = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}
_ASKED_OF_WRITES: dict[str, Schema] = {
    "Idempotency-Key": {
        "description": "The caller's own name for the request: sent again under it, it is done once. Where that is so "
        "anyway, it does nothing.",
        "schema": _TEXT | {"minLength": 1, "maxLength": 200, "pattern": r"^[!#-+\--~]+$"},
    },
}
_PRECONDITIONS: dict[str, Schema] = {
    "If-Match": {
        "description": "An ETag: only while it is still as that names it; or *: only if it is there.",
        "schema": _TEXT | {"pattern": r'^(\*|"[!#-~]*")$'},
    },
    "If-None-Match": {"description": "Only if it isn't there yet.", "schema": _TEXT | {"enum": ["*"]}},
}
_REVALIDATION: dict[str, Schema] = {
    "If-None-Match": {"description": "ETags of what the caller has: 304 if it is still one of those.", "schema": _TEXT}
}
_OF_THE_HOST = (408, 414, 431)
"""What the application never sees: without a body or the headers that its answers have."""
_ALIKE = (401, 403, *_OF_THE_HOST, 411, 413, 415, 500, 503)
"""Refusals that are the same everywhere, and so described once, where a declaration says nothing else."""
_ID: Schema = {"type": "string", "minLength": 1, "maxLength": 100}
_IDS = _ID | {"maxLength": MOST_IDS * 101 - 1}
"""Parted by commas."""


def document(operations: Iterable[Operation], version: str) -> dict[str, Any]:
    """The description of these operations, in OpenAPI 3.1, but of those that answer with files for people."""
    known = sorted((each for each in operations if each.response), key=lambda each: (each.route, each.method))
    schemas = schemas_of(known) | {"Problem": _PROBLEM}
    paths: dict[str, Any] = {}
    for each in known:
        paths.setdefault(f"{API}/{each.route}", {})[each.method.lower()] = _operation(each, known, schemas)
    types = {type for each in known for _, types in answers(each).values() for type in types}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Orderflow",
            "version": version,
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": {name: without_defaults(schemas[name]) for name in sorted(referred(paths, schemas))},
            "responses": {_phrase(status): _refusal(status, *REFUSALS[status]) for status in _ALIKE},
            "headers": {name: {"schema": _SENT[name]} for name in _WITH_EVERY_ANSWER},
            "examples": {type: _problems()[type] for type in sorted(types)},
            "securitySchemes": {"bearer": _BEARER},
        },
    }


def _operation(of: Operation, known: Iterable[Operation], schemas: Mapping[str, Schema]) -> dict[str, Any]:
    roles = " or ".join(sorted(of.roles))
    owned = " A customer reaches only their own." if of.owned else ""
    described: dict[str, Any] = {
        "operationId": of.id,
        "summary": of.summary,
        "description": f"For the role {roles}.{owned}" if of.roles else "Open to all.",
        "tags": [of.route.partition("/")[0]],
        "security": [{"bearer": []}] if of.roles else [],
        "x-roles": sorted(of.roles),
        "parameters": list(_parameters(of, schemas)),
    }
    if of.request:
        content = {"schema": reference(of.request, schemas), "example": _example("bodies", of.id)}
        described["requestBody"] = {"required": True, "content": {of.media_type: content}}
    described["responses"] = {
        str(status): _answer(of, status, words, types, known, schemas) for status, (words, types) in answers(of).items()
    }
    return described


def _parameters(of: Operation, schemas: Mapping[str, Schema]) -> Iterator[Schema]:
    for name in in_path(of):
        schema = TypeAdapter(Sku).json_schema() if name == "sku" else _IDS if name.endswith("Ids") else _ID
        yield {"name": name, "in": "path", "required": True, "schema": schema, "example": _example("paths", name)}
    if of.query:
        query = schemas[name_of(of.query, schemas)]
        for name, field in query["properties"].items():
            schema = {key: each for key, each in array(field, schemas).items() if key != "description"}
            meaning = {"description": field["description"]} if "description" in field else {}
            listed = {"style": "form", "explode": False} if schema.get("type") == "array" else {}
            required = name in query.get("required", [])
            yield {"name": name, "in": "query", "required": required, "schema": schema, **meaning, **listed}
    asked = _ASKED_OF_WRITES | (_PRECONDITIONS if of.conditional else {})
    if of.method == "GET":
        asked = _REVALIDATION if _revalidates(of) else {}
    if of.method == "PATCH":
        del asked["If-None-Match"]
    for name, described in asked.items():
        required = of.method == "PATCH" and name == "If-Match"
        yield {"name": name, "in": "header", "required": required, **described}


def _revalidates(of: Operation) -> bool:
    """Whether a caller may ask for it only if it isn't what they have."""
    return HTTPStatus.NOT_MODIFIED in of.statuses


def _answer(
    of: Operation,
    status: int,
    words: str,
    types: Sequence[str],
    known: Iterable[Operation],
    schemas: Mapping[str, Schema],
) -> dict[str, Any]:
    if status in _ALIKE and (words, tuple(types)) == REFUSALS[status]:
        return {"$ref": f"#/components/responses/{_phrase(status)}"}
    if status >= HTTPStatus.BAD_REQUEST:
        return _refusal(status, words, types)
    sends = {*of.sends, *(["ETag"] if _revalidates(of) else [])}
    answer = {
        "description": words,
        "headers": _headers(status) | {name: {"schema": _SENT[name]} for name in sorted(sends)},
    }
    if status == HTTPStatus.NOT_MODIFIED or of.response is None:
        return answer
    answer["content"] = {"application/json": {"schema": reference(of.response, schemas)}}
    if links := dict(_links(of.id, of.response, known, schemas)):
        answer["links"] = links
    return answer


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase.replace(" ", "")


def _refusal(status: int, words: str, types: Sequence[str]) -> dict[str, Any]:
    if status in _OF_THE_HOST:
        return {"description": words}
    if not types:
        raise ValueError(f"{status} {words}: name the type of problem in the declaration, in backticks")
    content = {
        "schema": {"$ref": f"{SCHEMAS}Problem"},
        "examples": {type: {"$ref": f"#/components/examples/{type}"} for type in types},
    }
    return {"description": words, "headers": _headers(status), "content": {"application/problem+json": content}}


def _headers(status: int) -> dict[str, Schema]:
    """Those that each answer with this status has."""
    own = {name: {"required": True, "schema": _SENT[name]} for name in _WITH_A_STATUS.get(status, ())}
    return own | {name: {"$ref": f"#/components/headers/{name}"} for name in _WITH_EVERY_ANSWER}


def _example(kind: str, name: str) -> Any:
    """A request's example. Raises ValueError where there is none."""
    examples = json.loads(EXAMPLES.read_text())[kind]
    if name not in examples:
        raise ValueError(f'examples/requests.json has no {name} among its "{kind}": add a good one')
    return examples[name]


@cache
def _problems() -> dict[str, Schema]:
    """An example of each type of problem: when it comes about, and what is answered."""
    form = re.compile(r"^## (\S+)\n\n\*\*\d+\*\*: (.+?)\n\n.+?^```json\n(.+?)^```", re.DOTALL | re.MULTILINE)
    return {
        type: {"summary": when, "value": json.loads(body)} for type, when, body in form.findall(PROBLEMS.read_text())
    }


def _links(
    of: str, response: type[BaseModel], known: Iterable[Operation], schemas: Mapping[str, Schema]
) -> Iterator[tuple[str, Any]]:
    """To each other operation on what the answer, or the first item of a list, names."""
    schema, at = schemas[name_of(response, schemas)], ""
    if (listed := schema["properties"].get("value", {})).get("items"):
        schema, at = schemas[listed["items"]["$ref"].removeprefix(SCHEMAS)], "/value/0"
    # What may be null or left out leads nowhere.
    always = ((name, schema["properties"][name]) for name in schema.get("required", ()))
    named = {name for name, field in always if {"type": "null"} not in field.get("anyOf", ())}
    for other in known:
        names = in_path(other)
        if other.id != of and names and named.issuperset(names):
            parameters = {name: f"$response.body#{at}/{name}" for name in names}
            yield other.id, {"operationId": other.id, "parameters": parameters}


def rendered(operations: Iterable[Operation]) -> str:
    """The document as it should be."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return json.dumps(document(operations, version), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(rendered(operations()))
    SESSION.write_text(http_examples.rendered(json.loads(DOCUMENT.read_text())))
