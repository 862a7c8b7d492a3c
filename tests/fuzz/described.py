"""The operations of the API, as openapi.json describes them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Operation:
    """One operation, as openapi.json describes it. `examples` are bodies that are good in their form."""

    id: str
    method: str
    path: str
    query: Sequence[str]
    content_type: str
    examples: Sequence[Any]
    statuses: frozenset[int]


def operations(document: Mapping[str, Any]) -> Iterator[Operation]:
    """All that the document describes."""
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            [(content_type, body)] = told.get("requestBody", {}).get("content", {"": {}}).items()
            example = body.get("example")
            whole = _whole(body["schema"], document, example) if body else None
            query = [each["name"] for each in told.get("parameters", []) if each["in"] == "query"]
            statuses = frozenset(map(int, told["responses"]))
            yield Operation(
                told["operationId"],
                method.upper(),
                path,
                query,
                content_type,
                (example, whole) if body else (),
                statuses,
            )


def _whole(schema: Mapping[str, Any], document: Mapping[str, Any], example: Any) -> Any:
    """The example with every member that the schema knows, so that each of them can be spoilt."""
    if "$ref" in schema:
        return _whole(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document, example)
    if "anyOf" in schema:
        return _whole(schema["anyOf"][0], document, example)
    match schema.get("type"):
        case "object":
            known = example if isinstance(example, dict) else {}
            members = schema.get("properties", {}).items()
            return {name: _whole(member, document, known.get(name)) for name, member in members}
        case "array":
            return [_whole(schema["items"], document, each) for each in example or [None]]
        case _ if example is not None:
            return example
        case "string":
            return schema.get("enum", ["GBP" if "pattern" in schema else "x"])[0]
        case "integer" | "number":
            return 1
        case _:
            return True
