"""What in a new description of the API breaks a client that was made for an older one.

A client sends what the older one takes, and reads what it promises. It tolerates further operations and statuses,
further fields and values of answers, and whatever is optional in requests.
"""

from collections.abc import Iterator, Mapping
from math import inf
from typing import Any

type Node = Mapping[str, Any]

_LEAST = ("minimum", "exclusiveMinimum", "minLength", "minItems")
_MOST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
_FORMS = ("pattern", "format", "multipleOf")


def breaking(old: Node, new: Node) -> list[str]:
    """Each change that breaks a client, one line each; none where every client goes on."""
    found: list[str] = []
    for path, methods in old["paths"].items():
        for method, operation in methods.items():
            name = f"{method.upper()} {path}"
            successor = new["paths"].get(path, {}).get(method)
            if successor is None:
                found.append(f"{name}: is gone")
            else:
                found += _operation(_inlined(operation, old), _inlined(successor, new), name)
    return found


def _inlined(value: Any, document: Node) -> Any:
    """With what it refers to in place. No schema of ours refers to itself."""
    match value:
        case {"$ref": str(reference)}:
            target: Any = document
            for part in reference.removeprefix("#/").split("/"):
                target = target[part]
            return _inlined(target, document)
        case dict():
            return {name: _inlined(each, document) for name, each in value.items()}
        case list():
            return [_inlined(each, document) for each in value]
    return value


def _operation(old: Node, new: Node, name: str) -> Iterator[str]:
    if old["operationId"] != new["operationId"]:
        yield f"{name}: is called {new['operationId']}, no longer {old['operationId']}"
    if new["security"] and not old["security"]:
        yield f"{name}: needs a token now"
    yield from _parameters(old, new, name)
    yield from _request(old.get("requestBody", {}), new.get("requestBody", {}), f"{name}: the body")
    for status, answer in old["responses"].items():
        if status not in new["responses"]:
            yield f"{name}: {status} is gone"
            continue
        for header in answer.get("headers", {}).keys() - new["responses"][status].get("headers", {}).keys():
            yield f"{name}: {status} has no {header} any more"
        for media, content in answer.get("content", {}).items():
            successor = new["responses"][status].get("content", {}).get(media)
            if successor is None:
                yield f"{name}: {status} is no {media} any more"
            else:
                yield from _answer(content["schema"], successor["schema"], f"{name}: {status}")


def _parameters(old: Node, new: Node, name: str) -> Iterator[str]:
    before, after = ({(each["in"], each["name"]): each for each in of["parameters"]} for of in (old, new))
    for (place, parameter), each in after.items():
        if each["required"] and not before.get((place, parameter), {}).get("required"):
            yield f"{name}: the {place} parameter {parameter} is needed now"
    for (place, parameter), each in before.items():
        where = f"{name}: the {place} parameter {parameter}"
        if (place, parameter) not in after:
            yield f"{where} isn't taken any more"
        else:
            yield from _request_schema(each["schema"], _one_of(after[place, parameter], each), where)


def _one_of(new: Node, old: Node) -> Node:
    """What one value may be where several are taken, parted by commas, and one was."""
    several = new["schema"].get("type") == "array" and not new.get("explode", True)
    schema: Node = new["schema"]["items"] if several and old["schema"].get("type") != "array" else new["schema"]
    return schema


def _request(old: Node, new: Node, where: str) -> Iterator[str]:
    if new.get("required") and not old.get("required"):
        yield f"{where} is needed now"
    for media, content in old.get("content", {}).items():
        if media not in new.get("content", {}):
            yield f"{where} isn't taken as {media} any more"
        else:
            yield from _request_schema(content["schema"], new["content"][media]["schema"], where)


def _request_schema(old: Node, new: Node, where: str) -> Iterator[str]:
    """Each old kind of value must be taken as one of the new kinds."""
    for kind in _kinds(old):
        candidates = [
            list(_narrowed(kind, each, where)) for each in _kinds(new) if each.get("type") in (None, kind.get("type"))
        ]
        yield from min(candidates, key=len, default=[f"{where} may not be {kind.get('type')} any more"])


def _narrowed(old: Node, new: Node, where: str) -> Iterator[str]:
    allowed = _values(new)
    if allowed is not None:
        before = _values(old)
        if before is None:
            yield f"{where} takes certain values alone now"
        else:
            yield from (f"{where} doesn't take {each} any more" for each in sorted(before - allowed, key=str))
    yield from (f"{where} has a higher {bound}" for bound in _LEAST if new.get(bound, -inf) > old.get(bound, -inf))
    yield from (f"{where} has a lower {bound}" for bound in _MOST if new.get(bound, inf) < old.get(bound, inf))
    yield from (f"{where} has another {form}" for form in _FORMS if form in new and new[form] != old.get(form))
    known, fields = new.get("properties", {}), old.get("properties", {})
    yield from (
        f"{where}/{each} is needed now" for each in sorted(set(new.get("required", [])) - set(old.get("required", [])))
    )
    for field, schema in fields.items():
        if field in known:
            yield from _request_schema(schema, known[field], f"{where}/{field}")
        elif new.get("additionalProperties") is False:
            yield f"{where}/{field} isn't taken any more"
    if "items" in old and "items" in new:
        yield from _request_schema(old["items"], new["items"], f"{where}/*")


def _answer(old: Node, new: Node, where: str) -> Iterator[str]:
    """Each new kind of value must be one of the old kinds."""
    for kind in _kinds(new):
        candidates = [list(_lost(each, kind, where)) for each in _kinds(old) if each.get("type") == kind.get("type")]
        yield from min(candidates, key=len, default=[f"{where} may be {kind.get('type')} now"])


def _lost(old: Node, new: Node, where: str) -> Iterator[str]:
    known = new.get("properties", {})
    for field, schema in old.get("properties", {}).items():
        if field not in known:
            yield f"{where}/{field} is gone"
            continue
        if field in old.get("required", []) and field not in new.get("required", []):
            yield f"{where}/{field} may be left out now"
        yield from _answer(schema, known[field], f"{where}/{field}")
    if "items" in old:
        yield from _answer(old["items"], new.get("items", {}), f"{where}/*")


def _kinds(schema: Node) -> list[Node]:
    return list(schema.get("anyOf", [schema]))


def _values(schema: Node) -> set[Any] | None:
    if "const" in schema:
        return {schema["const"]}
    return set(schema["enum"]) if "enum" in schema else None
