"""The types of fields in request and response bodies, each saying in words what it takes."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from shared.codec import parse_rfc3339
from shared.currencies import amount_step
from shared.errors import Refused, not_found
from shared.texts import is_empty, parse_email, parse_sku, parse_subject, parse_text, with_slashes

_LONGEST_ID = 100
MOST_IDS = 25
"""Of what is asked about by one path."""


def described(**schema: Any) -> WithJsonSchema:
    """What of a text's rules JSON Schema can say; the validator has the last word."""
    return WithJsonSchema({"type": "string", **schema})


def _checked(parse: Callable[[str], str]) -> AfterValidator:
    def check(value: str) -> str:
        try:
            return parse(value)
        except ValueError as fault:
            raise PydanticCustomError("field", "{fault}", {"fault": str(fault)}) from None

    return AfterValidator(check)


def of_the_shop(currency: str, info: ValidationInfo) -> str:
    """Validator of a currency: only the shop's own, which the validation's context names."""
    expected = (info.context or {})["currency"]
    if currency != expected:
        raise PydanticCustomError("field", "should be {expected}, the shop's currency", {"expected": expected})
    return currency


def payable(amount: int, info: ValidationInfo) -> int:
    """Validator of an amount in the shop's currency: what the payment provider can take."""
    step = amount_step((info.context or {})["currency"])
    if amount % step:
        raise PydanticCustomError(
            "field", "should be a multiple of {step}: payments take no thousandths", {"step": step}
        )
    return amount


def _says_something(value: object) -> bool:
    return not (isinstance(value, str) and is_empty(value))


_IN_A_SKU = r"[!$&->@-\[\]-~]"
Sku = Annotated[
    str,
    _checked(parse_sku),
    described(minLength=1, maxLength=40, pattern=rf"^(?!\.{{1,2}}$){_IN_A_SKU}( ?{_IN_A_SKU})*$"),
]
Text = Annotated[str, _checked(parse_text), described(minLength=1, maxLength=200)]
Subject = Annotated[str, _checked(parse_subject), described(minLength=1, maxLength=200)]
"""Whom a token can name."""
_EMPTY_IS_ABSENT = BeforeValidator(lambda value: value if _says_something(value) else None)
OptionalText = Annotated[Text | None, _EMPTY_IS_ABSENT]
OptionalSubject = Annotated[Subject | None, _EMPTY_IS_ABSENT]
Email = Annotated[str, _checked(parse_email), described(format="idn-email", maxLength=254)]
ShopCurrency = Annotated[str, AfterValidator(of_the_shop), described(pattern="^[A-Z]{3}$")]
Moment = Annotated[str, described(format="date-time")]
"""A time in an answer."""
Link = Annotated[str, described(format="uri-reference")]
"""A link in an answer: a path on the host that was asked."""
Quantity = Annotated[int, Field(ge=1, le=100_000)]


_MOST_ON_A_PAGE = 1000


def _page_size(text: str | int) -> int:
    if isinstance(text, str) and not re.fullmatch("[0-9]{1,4}", text, re.ASCII):
        raise PydanticCustomError("field", "should be a whole number from 1 to {most}", {"most": _MOST_ON_A_PAGE})
    return int(text)


PageSize = Annotated[int, Field(ge=1, le=_MOST_ON_A_PAGE), BeforeValidator(_page_size)]
"""How many a page of a list has at most."""


def _flag(text: str | bool) -> bool:
    if text not in ("true", "false", True, False):
        raise PydanticCustomError("field", "should be true or false")
    return text in ("true", True)


Flag = Annotated[bool, BeforeValidator(_flag)]
"""A query parameter that is on or off."""

# Of years that UTC and the one form of a stored time can express, whatever the offset.
_TIME = re.compile(r"[12]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)


def _time(text: object) -> datetime:
    try:
        if isinstance(text, str) and _TIME.fullmatch(text):
            return parse_rfc3339(text.upper())
    except ValueError:
        pass
    raise PydanticCustomError("field", "should be a time such as 2026-11-24T06:00:00Z, a + in it sent as %2B")


Time = Annotated[datetime, BeforeValidator(_time)]
"""A query parameter's moment (RFC 3339)."""


_DURATION = re.compile(
    r"P(?=[\dT])((?P<days>\d{1,4})D)?(T(?=\d)((?P<hours>\d{1,5})H)?((?P<minutes>\d{1,7})M)?((?P<seconds>\d{1,9})S)?)?",
    re.ASCII,
)


def _duration(text: object) -> timedelta:
    if isinstance(text, timedelta):
        return text
    if isinstance(text, str) and (found := _DURATION.fullmatch(text)):
        return timedelta(**{unit: int(number) for unit, number in found.groupdict("0").items()})
    raise PydanticCustomError("field", "should be a duration in days or less (ISO 8601), such as PT10M or P1DT12H")


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(lambda duration: f"PT{duration // timedelta(seconds=1)}S"),
    described(format="duration"),
]
"""A query parameter's duration, of days and less: how long a month is depends."""


def _split(value: object) -> object:
    return value.split(",") if isinstance(value, str) else value


def _once_each(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(sorted(set(values)))


type Several[T] = Annotated[tuple[T, ...], Field(max_length=10), BeforeValidator(_split), AfterValidator(_once_each)]
"""A query parameter's values, parted by commas, as the host joins repeated ones; in whatever order, each once."""


def _not_removed(value: object) -> object:
    if value is None:
        raise PydanticCustomError("field", "can't be removed: say what it shall be, or leave it out to keep it")
    return value


UNREMOVABLE = BeforeValidator(_not_removed)
"""Of a merge patch (RFC 7396): the field may be changed or left out, but not removed by null."""


# Each is built when it is first used (`defer_build`): an instance that starts needs few of them, and waits for none.


class Body(BaseModel):
    """A request's body: exact types, no unknown field, camelCase."""

    model_config = ConfigDict(strict=True, extra="forbid", alias_generator=to_camel, frozen=True, defer_build=True)


class Parameters(BaseModel):
    """A request's query parameters, in camelCase; each comes as a text."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, frozen=True, defer_build=True)


class View(BaseModel):
    """A response's body, camelCase."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        frozen=True,
        json_schema_serialization_defaults_required=True,
        defer_build=True,
    )


class MoneyView(View):
    """An amount in minor units of an ISO 4217 currency."""

    amount: int
    currency: str


def optional(**options: Any) -> Any:
    """A field of a response that is left out where there is nothing to say."""
    return Field(default=None, exclude_if=lambda value: value is None, **options)


def sku_in_route(route: Mapping[str, str]) -> str:
    """The SKU that a path names, in its one form. Refused with 422 where it can't be one."""
    try:
        return parse_sku(with_slashes(route["sku"]))
    except ValueError as fault:
        raise Refused(422, "invalid-sku", "The SKU in the path is not one.", f"It {fault}.") from None


def subject_in_route(route: Mapping[str, str], name: str) -> str:
    """The caller's subject that a path names. Refused with 404 where nobody can have it."""
    try:
        return parse_subject(with_slashes(route[name]))
    except ValueError:
        raise not_found(f"{name.removesuffix('Id')} of that id") from None


def id_in_route(route: Mapping[str, str], name: str) -> str:
    """The id that a path holds. Refused with 404 where nothing could have it: the store takes none so long."""
    id = route[name]
    if len(id) > _LONGEST_ID:
        raise not_found(f"{name.removesuffix('Id')} {id[:_LONGEST_ID]}")
    return id


def ids_in_route(route: Mapping[str, str], name: str) -> list[str]:
    """The ids that a path holds, parted by commas, each once; without those that nothing could have. Refused with 400
    where they are too many."""
    ids = [*dict.fromkeys(route[name].split(","))]
    if len(ids) > MOST_IDS:
        raise Refused(400, "invalid-query", "The path names too many ids.", f"Name {MOST_IDS} of them at most.")
    return [id for id in ids if len(id) <= _LONGEST_ID]
