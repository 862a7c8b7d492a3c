"""Every error that Orderflow raises on purpose, and what becomes of it.

OrderflowError
├── Contended              another writer was faster: read again and try again, at once
│   └── WriteRejected      the store refused one operation of a batch, and so the whole batch
│       ├── AlreadyExists      created before
│       ├── ConditionFailed    its ETag has moved on, or its condition is false
│       └── Missing            what it wanted to change isn't there
├── Transient              nothing is wrong with the request: try again later
│   ├── Unavailable            no answer, or an unclear one
│   ├── Throttled              too many requests
│   ├── TooEarly               an aggregate or an earlier step isn't there yet
│   └── Postponed              the same message again later, which remembers what this attempt found
├── BrokenPromise          a message that the protocol rules out; parked if it stays so
├── Unparseable            a message, or a document, that this version can't read; parked, or left out
│   └── UnknownType            a message of ours that this version doesn't know: later, then parked
├── MessageTooLarge        refused before anything is written; parked
├── InvalidToken           a bearer token that proves nothing
├── SettingsError          the app can't start; names every setting at fault
├── Unexpected             a failure that isn't one of these, in what may be told of it
└── Refused                an HTTP caller's fault, answered as a problem (RFC 9457)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class OrderflowError(Exception):
    """The root of the tree."""


class Contended(OrderflowError):
    """Another writer was faster: the same work, started anew from what is stored now, may succeed at once."""


class WriteRejected(Contended):
    """The store refused the operation at `index` of a batch; nothing of the batch was written."""

    def __init__(self, index: int, detail: str = "") -> None:
        super().__init__(f"operation {index} was rejected: {type(self).__name__} {detail}".rstrip())
        self.index = index


class AlreadyExists(WriteRejected):
    """A document of that id is in the partition already."""


class ConditionFailed(WriteRejected):
    """The document's ETag has moved on, or the condition of a patch is false."""


class Missing(WriteRejected):
    """The document to be changed isn't there."""


class Transient(OrderflowError):
    """Nothing is wrong with what was asked; it may succeed later."""


class Unavailable(Transient):
    """A store, the broker or a provider gave no answer or an unclear one: the effect may have happened."""


class Throttled(Transient):
    """A store, the broker or a provider asks for fewer requests, and for none within `wait` seconds."""

    def __init__(self, detail: str = "", wait: float = 1.0) -> None:
        super().__init__(detail)
        self.wait = wait


class TooEarly(Transient):
    """The aggregate, or an earlier step of it, isn't there yet."""


class Postponed(Transient):
    """To be handled again later, as `contract`: the same message, which remembers what this attempt found."""

    def __init__(self, why: str, contract: object) -> None:
        super().__init__(why)
        self.contract = contract


class BrokenPromise(OrderflowError):
    """The protocol rules this message out in the state that was read; parked if ten tries see the same."""


class Unparseable(OrderflowError):
    """No contract, or nothing that is stored, is of this shape. The text names fields, never values: it is logged."""


class UnknownType(Unparseable):
    """A message type of Orderflow's own that this version doesn't know: another context's may be newer."""


class MessageTooLarge(OrderflowError):
    """A message over the limit; raised before anything is written."""


class InvalidToken(OrderflowError):
    """A bearer token that proves nothing. The text says what is wrong with it, never what it holds."""


class Unexpected(OrderflowError):
    """A failure that nobody thought of, in what may be told of it: see `shared.failures`."""


class SettingsError(OrderflowError):
    """One line for each setting at fault, each naming the setting and the fix."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("settings are wrong:\n" + "\n".join(f"  {fault}" for fault in faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field of a body: where (RFC 6901 pointer) and what to do about it."""

    pointer: str
    detail: str


class Refused(OrderflowError):
    """The caller's request can't be done as it is; nothing was written for it.

    `type` is the stable last part of the problem's type URI; `title` is for people. `extension` is a dataclass whose
    fields the problem has besides (RFC 9457, section 3.2).
    """

    def __init__(
        self,
        status: int,
        type: str,
        title: str,
        detail: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        extension: object = None,
    ) -> None:
        super().__init__(title)
        self.status = status
        self.type = type
        self.title = title
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.extension = extension


def sentence(fault: Exception) -> str:
    """What a fault says, as a sentence of its own. What is in capitals (UTC, ASCII, a claim's name) stays so."""
    text = str(fault)
    return f"{text[:1].upper()}{text[1:]}."


def invalid(errors: Sequence[FieldError], title: str = "Some fields of the request are wrong.") -> Refused:
    """422: the body is of the right shape, but these fields are wrong."""
    return Refused(422, "invalid-body", title, errors=errors)


def key_reused(what: str) -> Refused:
    """422: the Idempotency-Key names another request; `what` as in "order"."""
    return Refused(
        422,
        "idempotency-key-reused",
        f"This Idempotency-Key was used for another {what}.",
        "Send the same body again, or take a new key.",
    )


def precondition_failed(what: str) -> Refused:
    """412: it isn't as the caller saw it; `what` as in "shipment"."""
    return Refused(
        412,
        "precondition-failed",
        "The precondition of the request does not hold.",
        f"The {what} is not what If-Match or If-None-Match says: read it again.",
    )


def not_found(what: str) -> Refused:
    """404 for an aggregate that isn't there; `what` as in "order ord_1"."""
    return Refused(404, "not-found", f"There is no {what}.")
