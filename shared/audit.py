"""Who of the staff changed what: an entry that is part of the very write that it tells of.

A handler that writes on request takes the call's `actor` and asks it for the entry, and the repository hands that to
`Outbox.commit`, which puts it into the batch of the write. So there is none without its write, and no write without its
own:

    audit = by.changed("shipment", shipment.id, _recorded(shipment), _recorded(dispatched))
    await deps.shipments.save(dispatched, [announced], audit)

`_recorded` is the handlers' own: the fields of the aggregate that the audit sees, by their names in JSON, what is
personal in a `Personal`, so that it is named alone. `shared/audit_trail.py` is how admins read the entries.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shared.access import Role
from shared.codec import encode, rfc3339
from shared.messaging import derived_id
from shared.ports import Document


@dataclass(frozen=True, slots=True)
class Personal:
    """A value that tells something of a person: it is compared, and never stored nor shown."""

    value: object = field(repr=False)


type Recorded = Mapping[str, str | int | bool | Personal | None]
"""What the audit sees of an aggregate, a few fields by their names in JSON; those that it hasn't are absent or None."""


@dataclass(frozen=True, slots=True)
class Target:
    """What was changed."""

    kind: str
    id: str


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One write by one of the staff: `before` and `after` hold the fields that it changed, `personal` the names of
    those whose values aren't kept."""

    subject: str
    role: Role
    operation: str
    request_id: str
    target: Target
    before: dict[str, Any]
    after: dict[str, Any]
    personal: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks for a write, as what, by which operation, and in which request."""

    subject: str
    role: Role
    operation: str
    request_id: str

    def changed(self, kind: str, id: str, before: Recorded, after: Recorded) -> AuditEntry | None:
        """The entry that goes with a write; None where a customer writes. What there was none of is `{}`."""
        if self.role is Role.CUSTOMER:
            return None
        names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        personal = {name for name in names for side in (before, after) if isinstance(side.get(name), Personal)}
        told = [name for name in names if name not in personal]
        return AuditEntry(
            self.subject,
            self.role,
            self.operation,
            self.request_id,
            Target(kind, id),
            {name: before[name] for name in told if before.get(name) is not None},
            {name: after[name] for name in told if after.get(name) is not None},
            tuple(name for name in names if name in personal),
        )


def audit_id(request_id: str, pk: str) -> str:
    """Under which a request's entry is stored in a partition: the same in a batch that comes again."""
    return derived_id("audit", request_id, pk)


def audit_document(entry: AuditEntry, pk: str, at: datetime, kept: timedelta) -> Document:
    """As it is stored in a partition."""
    id = audit_id(entry.request_id, pk)
    ttl = int(kept.total_seconds())
    return {"id": id, "pk": pk, "kind": "audit", "createdAt": rfc3339(at), "ttl": ttl, **encode(entry)}
