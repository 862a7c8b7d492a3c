"""Dataclasses to JSON objects and back: one mapping for messages and for stored documents.

Names are snake_case here and camelCase there; a time is RFC 3339 in UTC with microseconds, so that texts sort as times
do. Decoding is strict about types, takes a default for what is absent and passes over what it doesn't know: fields may
be added to a contract, never renamed or retyped.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeAliasType, cast, get_args, get_origin, get_type_hints

from shared.errors import Unparseable

type Decoder = Callable[[Any, str], Any]


def rfc3339(moment: datetime) -> str:
    """The one text form of a time, such as 2026-11-24T06:00:00.000000Z."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def parse_rfc3339(text: str) -> datetime:
    """The time that a text names. Raises ValueError, also where it has no zone: such a time can't be compared."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment


def camel(name: str) -> str:
    """unit_price → unitPrice."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def encode(value: Any) -> Any:
    """The JSON form of a dataclass or of a value in one."""
    if isinstance(value, str):
        return str(value)  # a member of an enumeration, too
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, datetime):
        return rfc3339(value)
    if is_dataclass(value):
        return {json_name: encode(getattr(value, name)) for name, json_name in _names(cast(Hashable, type(value)))}
    if isinstance(value, frozenset):
        return sorted(map(encode, value))
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    return value


def present(value: Any) -> Any:
    """JSON without the members that are null."""
    if isinstance(value, dict):
        return {name: present(member) for name, member in value.items() if member is not None}
    return [present(member) for member in value] if isinstance(value, list) else value


def decode[T](cls: type[T], data: Any) -> T:
    """The dataclass that `data` describes. Raises Unparseable, naming the field at fault."""
    decoded: T = _decoder(cast(Hashable, cls))(data, "")
    return decoded


@cache
def _names(cls: Hashable) -> list[tuple[str, str]]:
    return [(field.name, _stored_name(field)) for field in fields(cast(Any, cls)) if field.metadata.get("stored", True)]


def _stored_name(field: Field[Any]) -> str:
    """What the field is called in JSON; `stored_as` keeps the name of what is stored when the code's own changes."""
    name: str = field.metadata.get("stored_as") or camel(field.name)
    return name


@cache
def _decoder(hint: Hashable) -> Decoder:
    if isinstance(hint, TypeAliasType):
        hint = hint.__value__
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is UnionType and NoneType in arguments:
        inner = _decoder(next(a for a in arguments if a is not NoneType))
        return lambda value, at: None if value is None else inner(value, at)
    if origin in (tuple, frozenset):
        return _collection(origin, _decoder(arguments[0]))
    if is_dataclass(hint):
        return _dataclass(hint)
    if hint is datetime:
        return _parsed(parse_rfc3339, "a time (RFC 3339)")
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _parsed(hint, "one of " + ", ".join(hint))
    if hint in (str, int, bool):
        return _exactly(hint)
    if origin is dict:
        return _exactly(dict)
    raise TypeError(f"the codec does not know {hint!r}")


def _exactly(kind: type) -> Decoder:
    def read(value: Any, at: str) -> Any:
        if type(value) is not kind:
            raise Unparseable(f"{at or '/'} should be of type {kind.__name__}")
        return value

    return read


def _parsed(parse: Callable[[str], Any], wanted: str) -> Decoder:
    def read(value: Any, at: str) -> Any:
        try:
            return parse(_exactly(str)(value, at))
        except ValueError:
            raise Unparseable(f"{at or '/'} should be {wanted}") from None

    return read


def _collection(kind: Callable[[list[Any]], Any], item: Decoder) -> Decoder:
    def read(value: Any, at: str) -> Any:
        return kind([item(each, f"{at}/{index}") for index, each in enumerate(_exactly(list)(value, at))])

    return read


def _dataclass(cls: Any) -> Decoder:
    hints = get_type_hints(cls)
    plan = [
        (field.name, _stored_name(field), _decoder(hints[field.name]), field.default is not MISSING)
        for field in fields(cls)
        if field.metadata.get("stored", True)
    ]

    def read(value: Any, at: str) -> Any:
        if not isinstance(value, Mapping):
            raise Unparseable(f"{at or '/'} should be an object")
        found: dict[str, Any] = {}
        for name, json_name, decoder, has_default in plan:
            if json_name in value:
                found[name] = decoder(value[json_name], f"{at}/{json_name}")
            elif not has_default:
                raise Unparseable(f"{at}/{json_name} is missing")
        return cls(**found)

    return read
