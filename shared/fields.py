"""The types of fields in request and response bodies, each saying in words what it takes."""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from shared.errors import Refused

_SKU = re.compile(r"[A-Z0-9._ -]{1,40}", re.ASCII)
_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_MOST_IN_A_TEXT = 200
_MOST_IN_AN_EMAIL = 254


def parse_sku(text: str) -> str:
    """A SKU in its one spelling, upper case. Raises ValueError."""
    folded = text.upper() if text.isascii() else text
    if not _SKU.fullmatch(folded):
        raise ValueError("should be a SKU: 1 to 40 letters (A-Z), digits, dots, underscores, hyphens or spaces")
    return folded


def _checked(parse: Callable[[str], str]) -> AfterValidator:
    def check(value: str) -> str:
        try:
            return parse(value)
        except ValueError as fault:
            raise PydanticCustomError("field", "{fault}", {"fault": str(fault)}) from None

    return AfterValidator(check)


def _text(value: str) -> str:
    if not value.strip():
        raise ValueError("should not be empty")
    if len(value) > _MOST_IN_A_TEXT:
        raise ValueError(f"should have {_MOST_IN_A_TEXT} characters at most")
    if any(character < " " or character == "\x7f" for character in value):
        raise ValueError("should not contain control characters")
    return value


def _email(value: str) -> str:
    if len(value) > _MOST_IN_AN_EMAIL:
        raise ValueError(f"should have {_MOST_IN_AN_EMAIL} characters at most")
    if not _EMAIL.fullmatch(value):
        raise ValueError("should be an e-mail address such as name@example.com")
    return value


def of_the_shop(currency: str, info: ValidationInfo) -> str:
    """Validator of a currency: only the shop's own, which the validation's context names."""
    expected = (info.context or {})["currency"]
    if currency != expected:
        raise PydanticCustomError("field", "should be {expected}, the shop's currency", {"expected": expected})
    return currency


Sku = Annotated[str, _checked(parse_sku)]
Text = Annotated[str, _checked(_text)]
Email = Annotated[str, _checked(_email)]
Quantity = Annotated[int, Field(ge=1, le=100_000)]


class Body(BaseModel):
    """A request's body: exact types, no unknown field, camelCase."""

    model_config = ConfigDict(strict=True, extra="forbid", alias_generator=to_camel, frozen=True)


class View(BaseModel):
    """A response's body, camelCase."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, frozen=True)


class MoneyView(View):
    """An amount in minor units of an ISO 4217 currency."""

    amount: int
    currency: str


def optional(**options: Any) -> Any:
    """A field of a response that is left out where there is nothing to say."""
    return Field(default=None, exclude_if=lambda value: value is None, **options)


def sku_in_route(route: Mapping[str, str]) -> str:
    """The SKU that a path names, folded. Refused with 422 where it can't be one."""
    try:
        return parse_sku(route["sku"])
    except ValueError as fault:
        raise Refused(422, "invalid-sku", "The SKU in the path is not one.", f"It {fault}.") from None
