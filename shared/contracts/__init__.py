"""What contexts say to one another: commands and events, frozen dataclasses with fields only.

A command is imperative and goes to its owner's queue; an event is in the past tense and goes to its publisher's topic.
Both are declared in the module of the context that owns them. A field may be added, with a default; it is never
renamed, retyped or removed within a version. Another version is a class of its own beside it, `<Name>V2`: the same is
said, in another shape. `schemas` has what each looks like in JSON.
"""

from dataclasses import dataclass


class Command:
    """A request to one context, sent to the queue of its name."""


class Event:
    """A fact that a context announces on its topic, `<context>-events`."""


type Contract = Command | Event


@dataclass(frozen=True, slots=True)
class OrderCommand(Command):
    """One that is about an order."""

    order_id: str


@dataclass(frozen=True, slots=True)
class OrderEvent(Event):
    """One that is about an order."""

    order_id: str


@dataclass(frozen=True, slots=True)
class Line:
    """So many of one product."""

    sku: str
    quantity: int
