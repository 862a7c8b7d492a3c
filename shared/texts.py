"""What a text, a SKU and an e-mail address are, in their one form. Parsers raise ValueError, saying what is wanted."""

import re
from unicodedata import category, normalize

import idna

FORGOTTEN = "[forgotten]"
"""What stands in place of a text that told something of somebody who is forgotten."""

_MOST_IN_A_TEXT = 200
_MOST_IN_AN_EMAIL = 254
_SKU = re.compile(r'[^"\\#?%a-z\x00-\x1f\x7f-\U0010ffff]{1,40}')
_ENCODED_SLASH = re.compile("%2f", re.IGNORECASE)
_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL = re.compile(rf"[^@\s]{{1,64}}@{_LABEL}(\.{_LABEL})+")

_NON_CHARACTERS = "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000))
_REFUSED = re.compile(f"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufdd0-\ufdef{_NON_CHARACTERS}]")
"""Controls, line and paragraph separators, what overrides or embeds the direction of writing, and non-characters."""

_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Fillers, joiners and selectors that the general category takes for letters, marks and signs."""


def parse_sku(text: str) -> str:
    """A SKU: upper case, without spaces around it, and never several in a row."""
    folded = re.sub(" +", " ", text.strip(" "))
    folded = folded.upper() if folded.isascii() else folded
    if folded in (".", "..") or not _SKU.fullmatch(folded):
        raise ValueError(
            'should be a SKU: 1 to 40 letters (A-Z), digits, spaces and ASCII signs but " \\ # ? %, and not . or ..'
        )
    return folded


def parse_text(text: str) -> str:
    """A text of one line, in Unicode's normal form C."""
    return _checked(normalize("NFC", text))


def parse_subject(text: str) -> str:
    """What names a caller, as it is: in another normal form of Unicode it may name another. A path can name it, in
    which a slash is `%2F`."""
    _checked(text)
    if not text.isprintable():
        raise ValueError("should be printable characters")
    if text in (".", "..") or with_slashes(text) != text:
        raise ValueError("should be what a path can name: not . or .., and without the characters %2F")
    return text


def with_slashes(text: str) -> str:
    """Part of a path as the host hands it over: decoded once, but for a slash, which would have parted it."""
    return _ENCODED_SLASH.sub("/", text)


def _checked(text: str) -> str:
    if is_empty(text):
        raise ValueError("should not be empty")
    if len(text) > _MOST_IN_A_TEXT:
        raise ValueError(f"should have {_MOST_IN_A_TEXT} characters at most")
    if _REFUSED.search(text):
        raise ValueError("should be one line, without control characters and what overrides the direction of writing")
    return text


def is_empty(text: str) -> bool:
    """Whether there is nothing to be seen of it."""
    return all(_is_unseen(character) for character in text)


def _is_unseen(character: str) -> bool:
    return category(character) in ("Zs", "Zl", "Zp", "Cc", "Cf") or _UNSEEN.match(character) is not None


def parse_email(text: str) -> str:
    """An e-mail address. A domain in Unicode becomes what DNS knows it by (IDNA 2008, as UTS 46 maps it)."""
    local, _, domain = normalize("NFC", text).rpartition("@")
    if any(map(_is_unseen, text)):
        raise ValueError("should be an e-mail address without spaces and invisible characters")
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True, std3_rules=True).decode()
        except idna.IDNAError:
            raise ValueError("should have a domain that IDNA 2008 allows behind the @") from None
    address = f"{local}@{domain}"
    if len(address) > _MOST_IN_AN_EMAIL:
        raise ValueError(f"should have {_MOST_IN_AN_EMAIL} characters at most")
    if not _EMAIL.fullmatch(address) or _REFUSED.search(address):
        raise ValueError("should be an e-mail address such as name@example.com")
    return address
