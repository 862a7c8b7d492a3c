"""One message, one handler, and every way out of a handler that fails.

A bad message never blocks a good one, and none is ever lost:

- *at once*: another writer was faster (412, 449): again in process, up to eight times within a second;
- *later*: anything transient: sent again to the queue that it came from, with a delay, and the original completes; a
  handler that postpones a message says what the next attempt is to know;
- *parked*: what can't succeed is stored, whole and with the reason, as a document of the context, and completes; of a
  promise that stays broken, what comes again completes as long as it is parked; where CustomerForgotten comes, what is
  parked of that order loses its words, in every context;
- *dead-lettered*: by the broker, when the worker itself dies over a message; `park_dead_letter` parks those.

When neither sending nor storing works, the function raises, and the broker delivers again.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256

from shared import metrics
from shared.codec import parse_rfc3339, rfc3339
from shared.contracts import Contract
from shared.contracts.customers import CustomerForgotten
from shared.errors import (
    BrokenPromise,
    Contended,
    MessageTooLarge,
    Postponed,
    Transient,
    UnknownType,
    Unparseable,
)
from shared.failures import told
from shared.messaging import LONGEST_ATTRIBUTE, Message, derived_id, from_wire, restated
from shared.parking import Cause, ParkedMessages
from shared.ports import Container, Sender, System, WireMessage
from shared.retry import at_once
from shared.telemetry import log, logged_with, span, span_failed

type Handler = Callable[..., Awaitable[None]]
"""Takes its contract; what else it needs is bound already."""


@dataclass(frozen=True, slots=True)
class OfMessages:
    """A handler that takes the message itself: its ids, time and trace as well as its contract."""

    handle: Handler

    async def __call__(self, message: Message) -> None:
        """Handle it."""
        await self.handle(message)


_ATTEMPT = "orderflow_attempt"
_STRIKES = "orderflow_strikes"
_FIRST_FAILURE = "orderflow_firstFailure"
_FIRST_ID = "orderflow_firstId"


@dataclass(frozen=True, slots=True)
class RetryTimes:
    """The policy of *later*: `delay` doubles up to `longest_delay`, for `give_up` at most; `strikes` unexpected
    failures park a message. `hold`: how long a function waits, trying to send, before it raises; below half a lock.
    `parked`: how long what is parked is kept."""

    delay: timedelta = timedelta(seconds=2)
    longest_delay: timedelta = timedelta(minutes=5)
    give_up: timedelta = timedelta(hours=24)
    hold: timedelta = timedelta(seconds=20)
    strikes: int = 10
    parked: timedelta = timedelta(days=90)


class Dispatcher:
    """Handles the messages of one queue of one context."""

    def __init__(
        self,
        queue: str,
        handlers: Mapping[type[Contract], Handler],
        container: Container,
        sender: Sender,
        system: System,
        times: RetryTimes,
    ) -> None:
        self._queue = queue
        self._handlers = handlers
        self._parked = ParkedMessages(container, system, times.parked)
        self._sender = sender
        self._system = system
        self._times = times

    async def handle(self, wire: WireMessage) -> None:
        """Handle the message, or see to it that it isn't lost. Raises only where neither store nor broker answers."""
        with logged_with(message_id=wire.id, queue=self._queue, subject=wire.correlation_id):
            try:
                message = from_wire(wire, self._queue)
                contract = message.contract
            except UnknownType as fault:
                # Contexts are deployed one by one: the version that knows it may be on its way.
                await self._later(wire, fault, strikes=1)
                return
            except Unparseable as fault:
                await self._park(wire, Cause.UNREADABLE, str(fault))
                return
            with span(f"{self._queue} {message.name}", message.traceparent):
                await self._attempt(wire, message, contract)

    async def _attempt(self, wire: WireMessage, message: Message, contract: Contract) -> None:
        try:
            if wire.id != message.event_id and await self._parked.has_broken_promise(message.event_id):
                await self._parked.count(message.event_id)
            else:
                await self._deliver(message, contract)
        except MessageTooLarge as fault:
            await self._park(wire, Cause.FAILURE, str(fault))
        except (Transient, Contended) as failure:
            await self._later(wire, failure, strikes=0)
        except BrokenPromise as failure:
            await self._later(wire, failure, strikes=1)
        except Exception as failure:  # noqa: BLE001 - see the next line
            # A fault of ours, which the next deployment may mend: ten tries, then a person.
            log.exception("handling failed unexpectedly")
            await self._later(wire, failure, strikes=1)

    async def park_dead_letter(self, wire: WireMessage) -> None:
        """Park what the broker gave up on."""
        with logged_with(message_id=wire.id, queue=self._queue, subject=wire.correlation_id):
            metrics.DEAD_LETTERED.record(queue=self._queue)
            reason = (wire.properties or {}).get("DeadLetterReason", "unknown reason")
            await self._park(wire, Cause.FAILURE, f"dead-lettered: {reason}")

    async def _deliver(self, message: Message, contract: Contract) -> None:
        handler = self._handlers.get(type(contract))
        if isinstance(contract, CustomerForgotten):
            await self._parked.forget(contract.order_id)
        elif handler is None:
            log.info("nobody here wants %s", type(contract).__name__)
        if handler:
            what = message if isinstance(handler, OfMessages) else contract
            await at_once(lambda: handler(what), self._system)

    async def _later(self, wire: WireMessage, failure: Exception, strikes: int) -> None:
        span_failed(told(failure))
        now = self._system.now()
        properties = dict(wire.properties or {})
        attempt = _number(properties.get(_ATTEMPT)) + 1
        strikes += _number(properties.get(_STRIKES))
        first_failure = _moment(properties.get(_FIRST_FAILURE)) or now
        delay = self._delay(attempt)
        retry_until = _moment(properties.get("orderflow_retryUntil"))
        if postponed := isinstance(failure, Postponed):
            wire = restated(wire, failure.contract)
        if strikes >= self._times.strikes:
            cause = Cause.BROKEN_PROMISE if isinstance(failure, BrokenPromise) else Cause.FAILURE
            await self._park(wire, cause, f"failed {strikes} times: {told(failure)}", attempt)
        elif now + delay > first_failure + self._times.give_up:
            reason = f"still failing after {self._times.give_up}: {told(failure)}"
            await self._park(wire, Cause.FAILURE, reason, attempt)
        elif retry_until and now + delay >= retry_until and not (strikes or postponed):
            log.info("completed without success, its sender sends it again: %s", told(failure))
        else:
            log.warning("tried again in %.1f s, attempt %d: %s", delay.total_seconds(), attempt, told(failure))
            properties |= {_STRIKES: strikes, _FIRST_FAILURE: rfc3339(first_failure)}
            await self._send(replace(wire, properties=properties), attempt, now + delay)

    def _delay(self, attempt: int) -> timedelta:
        doubled: timedelta = self._times.delay * 2 ** min(attempt - 1, 16)
        return min(self._times.longest_delay, doubled) * (0.75 + self._system.random() / 4)

    async def _send(self, wire: WireMessage, attempt: int, at: datetime) -> None:
        """Send it to its queue again, trying for as long as the lock surely holds: an abandoned message would come
        back at once, and burn its delivery count. Its id derives from the first one, so that two copies of this
        handler don't become two chains of retries."""
        first_id = _first_id(wire)
        properties = dict(wire.properties or {}) | {_ATTEMPT: attempt, _FIRST_ID: first_id}
        again = replace(wire, id=derived_id(first_id, attempt), properties=properties)
        give_up = self._system.now() + self._times.hold
        pause = 0.5
        while True:
            try:
                return await self._sender.send(self._queue, [again], at)
            except Transient:
                if self._system.now() + timedelta(seconds=pause) >= give_up:
                    raise
            await self._system.sleep(pause)
            pause *= 2

    async def _park(self, wire: WireMessage, cause: Cause, reason: str, attempts: int = 1) -> None:
        # What could be read says what it says by its event id, however often it is sent. What couldn't may lie.
        place = _first_id(wire) if cause is Cause.UNREADABLE else _place_of_event(wire)
        try:
            await self._parked.park(place, wire, self._queue, cause, reason, attempts)
        except (Transient, Contended) as failure:
            log.warning("parking failed, tried again later: %r", failure)
            attempt = _number((wire.properties or {}).get(_ATTEMPT)) + 1
            await self._send(wire, attempt, self._system.now() + self._delay(attempt))


def _first_id(wire: WireMessage) -> str:
    """The message's id before it was sent again, or its body's digest where a stranger sent none."""
    return _id(wire, _FIRST_ID) or wire.id or sha256(wire.body).hexdigest()


def _place_of_event(wire: WireMessage) -> str:
    """The event's id, which is the same for every sending."""
    return _id(wire, "cloudEvents_id") or _first_id(wire)


def _id(wire: WireMessage, name: str) -> str | None:
    """What a property says, if it can be an id. A stranger's may be anything, longer than a store takes, for one."""
    value = (wire.properties or {}).get(name)
    return value if isinstance(value, str) and len(value) <= LONGEST_ATTRIBUTE else None


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _moment(value: object) -> datetime | None:
    try:
        return parse_rfc3339(value) if isinstance(value, str) else None
    except ValueError:
        return None
