"""What the contexts say, in an answer: how they are, what they have parked, and where they disagree."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any

from services.operations.asked import understood
from services.operations.domain import Disagreement
from services.operations.ports import Said
from shared.codec import rfc3339
from shared.fields import Moment, View, optional
from shared.paging import Page
from shared.replaying import ParkedPage, ParkedView


class Health(StrEnum):
    """How a context is, or all of them: the last that fits one."""

    READY = "ready"
    UNKNOWN = "unknown"
    NOT_READY = "not_ready"


class ContextView(View):
    """A context as it tells of itself; its name alone where it gives no answer."""

    name: str
    health: Health
    version: str | None = optional()
    commit: str | None = optional()
    checked_at: Moment | None = optional()
    dependencies: dict[str, str] | None = optional()
    """What it can't work without: `up`, or what is wrong with it."""
    functions: dict[str, str] | None = optional()
    """What starts each of its functions: a request, a queue, or the `timer`."""

    @classmethod
    def of(cls, name: str, said: Said | None) -> "ContextView":
        """What the context said, if it said how it is."""
        health = Health.READY if said and said.status == 200 else Health.NOT_READY
        told = said and replace(said, body=said.body | {"name": name, "health": health})
        known = understood(told, cls)
        return known if known and known.dependencies is not None else cls(name=name, health=Health.UNKNOWN)


class RegistryView(View):
    """Every context, and how they are in all."""

    health: Health
    contexts: list[ContextView]

    @classmethod
    def of(cls, said: Mapping[str, Said | None]) -> "RegistryView":
        """What each context said."""
        contexts = [ContextView.of(*each) for each in said.items()]
        worst = max((each.health for each in contexts), key=[*Health].index, default=Health.UNKNOWN)
        return cls(health=worst, contexts=contexts)


class ParkedInContextView(View):
    """What a context has parked, the oldest of it."""

    name: str
    value: list[ParkedView]
    has_more: bool
    """Whether `GET /api/parked/{context}` has more."""


class ParkedEverywhereView(View):
    """What is parked in every context."""

    contexts: list[ParkedInContextView]
    unknown: list[str]
    """Contexts that gave no answer."""

    @classmethod
    def of(cls, said: Mapping[str, Said | None]) -> "ParkedEverywhereView":
        """What each context said, if it was that."""
        contexts, unknown = [], []
        for name, each in said.items():
            if page := understood(each, ParkedPage):
                contexts.append(ParkedInContextView(name=name, value=page.value, has_more=page.next_link is not None))
            else:
                unknown.append(name)
        return cls(contexts=contexts, unknown=unknown)


class DifferenceView(View):
    """What differs, by a name that stays (docs/runbook.md has them) and in words."""

    code: str
    words: str


class DisagreementView(View):
    """What the contexts don't agree about, and what each says."""

    id: str
    """The order's, or `stock:` and the product's SKU, or `intent:` and the provider's id of a payment."""
    order_id: str | None = optional()
    sku: str | None = optional()
    found_at: Moment
    looked_at: Moment
    """When it was so last."""
    differences: list[DifferenceView]
    sides: dict[str, Any]
    """What `orders`, `inventory` and `payments` say, null where they know of nothing, and which `events` are kept; of a
    product `inventory` alone, of an intent `payments`."""

    @classmethod
    def of(cls, found: Disagreement) -> "DisagreementView":
        """The disagreement as it is shown."""
        times = {"found_at": rfc3339(found.found_at), "looked_at": rfc3339(found.looked_at)}
        differences = [DifferenceView(code=each.code, words=each.words) for each in found.differences]
        about = {"id": found.id, "order_id": found.order_id, "sku": found.sku}
        return cls.model_validate(about | times | {"differences": differences, "sides": found.sides})


class DisagreementPage(Page[DisagreementView]):
    """Some of what the contexts don't agree about, and where more is."""

    @classmethod
    def of(cls, found: Sequence[Disagreement], next_link: str | None) -> "DisagreementPage":
        """The disagreements as they are shown."""
        return cls(value=[DisagreementView.of(each) for each in found], next_link=next_link)
