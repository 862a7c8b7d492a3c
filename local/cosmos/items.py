"""What one operation does to one item: the same alone and in a transactional batch."""

import json
import re
import time
from dataclasses import dataclass
from typing import Any

from local.cosmos import charges, errors
from local.cosmos.container import Container, Document, partition_key
from local.cosmos.identity import Sequence, resource_id
from local.cosmos.patch import patch
from local.cosmos.query import holds

MOST_BYTES = 2 * 1024 * 1024
MOST_ID_BYTES = 1023
MOST_LEVELS = 128
_LONGEST_TTL = 2**31 - 1
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)


@dataclass(frozen=True, slots=True)
class Operation:
    """What is asked for; `kind` as a batch names it: Create, Upsert, Replace, Patch, Delete or Read; or ReadStale."""

    kind: str
    id: str | None = None
    body: Any = None
    if_match: str | None = None
    if_none_match: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it: `body` is the item's JSON, empty where there is none."""

    status: int
    charge: float
    etag: str | None = None
    body: str = ""
    substatus: int = 0


class Items:
    """Applies operations to the items of one logical partition, within a transaction if they write."""

    def __init__(self, container: Container, partition: str, sequence: Sequence) -> None:
        self._container, self._partition, self._sequence = container, partition, sequence

    def apply(self, operation: Operation) -> Outcome:
        """Do it; raises CosmosError, then nothing was changed."""
        if operation.kind in ("Create", "Upsert"):
            return self._put(operation)
        find = self._container.find_as_before if operation.kind == "ReadStale" else self._container.find
        found = find(self._partition, operation.id or "")
        if found is None:
            raise errors.not_found()
        if operation.kind in ("Read", "ReadStale"):
            if operation.if_none_match in (found.etag, "*"):
                return Outcome(304, charges.read(0), found.etag)
            return Outcome(200, charges.read(len(found.body)), found.etag, found.body)
        _check_preconditions(operation, found)
        if operation.kind == "Delete":
            self._container.remove(found)
            return Outcome(204, self._charge(found))
        if operation.kind == "Patch":
            return self._replace(found, self._patched(found, operation.body))
        if _checked_id(operation.body) != found.id and self._container.find(self._partition, operation.body["id"]):
            raise errors.conflict()
        return self._replace(found, operation.body)

    def _put(self, operation: Operation) -> Outcome:
        id = _checked_id(operation.body)
        found = self._container.find(self._partition, id)
        if found is not None:
            if operation.kind == "Create":
                raise errors.conflict()
            _check_preconditions(operation, found)
            return self._replace(found, operation.body)
        new = self._version(self._sequence.next(), id, operation.body)
        self._container.insert(new)
        return Outcome(201, self._charge(new), new.etag, new.body)

    def _replace(self, found: Document, item: dict[str, Any]) -> Outcome:
        new = self._version(found.row, item["id"], item)
        self._container.update(found, new)
        return Outcome(200, self._charge(found) + self._charge(new), new.etag, new.body)

    def _charge(self, version: Document) -> float:
        """Of putting it in, or taking it out."""
        return charges.write(len(version.body), self._container.index.entries(json.loads(version.body)))

    def _patched(self, found: Document, body: Any) -> dict[str, Any]:
        body = {"operations": body} if isinstance(body, list) else body
        if not isinstance(body, dict):
            raise errors.bad_request("A patch has operations.")
        condition = body.get("condition")
        if condition and not holds(self._container, condition, found.body):
            raise errors.precondition_failed()
        item: dict[str, Any] = json.loads(found.body)
        patch(item, body.get("operations"), self._container.key_path)
        return item

    def _version(self, row: int, id: str, item: dict[str, Any]) -> Document:
        if partition_key(item, self._container.key_path) != self._partition:
            message = "PartitionKey extracted from document doesn't match the one specified in the header"
            raise errors.bad_request(message, errors.PARTITION_KEY_MISMATCH)
        if _deeper(item, MOST_LEVELS):
            raise errors.bad_request(f"The item is nested more deeply than {MOST_LEVELS} levels.")
        now, etag = int(time.time()), self._sequence.etag()
        rid = resource_id(self._container.rid, row, 8)
        address = f"{self._container.definition['_self']}docs/{rid}/"
        system = {"_rid": rid, "_self": address, "_etag": etag, "_attachments": "attachments/", "_ts": now}
        for name in system:
            item.pop(name, None)
        try:
            body = _ENCODER.encode(item | system)
            length = len(body.encode())
        except ValueError as error:
            raise errors.bad_request(f"The item holds what JSON can't: {error}.") from error
        if length > MOST_BYTES:
            raise errors.CosmosError(413, "Request size is too large")
        return Document(row, self._partition, id, self._expiry(item, now), etag, body)

    def _expiry(self, item: dict[str, Any], now: int) -> int | None:
        default = self._container.definition.get("defaultTtl")
        ttl: Any = item.get("ttl", default)
        if "ttl" in item and (type(ttl) is not int or not (ttl == -1 or 0 < ttl <= _LONGEST_TTL)):
            ensure = f"Ensure to provide a nonzero positive integer less than or equal to '{_LONGEST_TTL}'"
            raise errors.bad_request(f"The input ttl {ttl!r} is invalid. {ensure}, or -1, which means never expire.")
        return None if default is None or ttl == -1 else now + ttl


def _check_preconditions(operation: Operation, found: Document) -> None:
    if operation.if_match not in (None, "*", found.etag):
        raise errors.precondition_failed()
    if operation.if_none_match in ("*", found.etag):
        raise errors.precondition_failed()


def _checked_id(item: Any) -> str:
    id = item.get("id") if isinstance(item, dict) else None
    if not isinstance(id, str) or not id:
        raise errors.bad_request("The input content is invalid because the required properties - 'id; ' - are missing")
    if len(id.encode(errors="replace")) > MOST_ID_BYTES or re.search(r"[/\\#?\ud800-\udfff]", id):
        raise errors.invalid_id(id, MOST_ID_BYTES + 1)
    return id


def _deeper(value: Any, levels: int) -> bool:
    level = [value]
    while level and levels:
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each)]
        level = [inner for inner in level if isinstance(inner, dict | list)]
        levels -= 1
    return bool(level)
