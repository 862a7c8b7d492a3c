"""What operations does with an event: it keeps it."""

from dataclasses import dataclass
from datetime import timedelta

from services.operations.domain import Recorded, told
from services.operations.ports import Contexts
from services.operations.repositories import Disagreements, Events, Sums
from shared.codec import parse_rfc3339
from shared.errors import AlreadyExists
from shared.messaging import Message
from shared.ports import System
from shared.telemetry import is_trace_context, log


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What the handlers need; `keep` is how long an order is remembered after its last event, `window` how old that is
    when what is said of it is compared, and `run` how long one run of counting or comparing may take."""

    events: Events
    sums: Sums
    disagreements: Disagreements
    contexts: Contexts
    system: System
    keep: timedelta
    window: timedelta
    run: timedelta = timedelta(seconds=40)


async def record(message: Message, deps: Dependencies) -> None:
    """Keep the event, once: the first that comes stands."""
    try:
        await deps.events.add(_recorded(message))
    except AlreadyExists:
        log.info("known already")


def _recorded(message: Message) -> Recorded:
    _, context, name, _ = message.type.split(".")
    traced = message.traceparent and is_trace_context(message.traceparent)
    return Recorded(
        event_id=message.event_id,
        order_id=message.data.get("orderId"),
        subject=message.subject,
        context=context,
        name=name,
        at=parse_rfc3339(message.time),
        trace_id=message.traceparent.split("-")[1] if message.traceparent and traced else None,
        told=told(message.data),
    )
