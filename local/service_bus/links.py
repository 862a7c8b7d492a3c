"""The three things that a client attaches to: an entity to send to, one to receive from, and a management node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proton import Condition, Delivery, Link, Message

from local.service_bus.broker import Outcome
from local.service_bus.codec import batch, parse
from local.service_bus.entities import Box, Entity
from local.service_bus.management import CBS, Request, manage, put_token
from local.service_bus.refusal import CONDITIONS, Refused
from local.service_bus.store import Stored

if TYPE_CHECKING:
    from local.service_bus.connection import Connection

_CREDIT = 1_000


def accept(delivery: Delivery) -> None:
    """Tell the sender that its delivery has been dealt with."""
    delivery.update(Delivery.ACCEPTED)
    delivery.settle()


def reject(delivery: Delivery, refused: Refused) -> None:
    """Tell the other side that its delivery, or its disposition of one, is refused."""
    # azure-servicebus reads the third field of an error, `info`, without looking whether it is there.
    delivery.local.condition = Condition(refused.condition, refused.description, {"status": refused.status})
    delivery.update(Delivery.REJECTED)
    delivery.settle()


def refill(link: Link) -> None:
    """Let the client send on: rarely, since azure-servicebus spends 50 ms on each frame while it opens a link."""
    if link.credit < _CREDIT // 2:
        link.flow(_CREDIT - link.credit)


class Inlet:
    """A link on which a client sends messages to a queue or topic."""

    def __init__(self, connection: Connection, link: Link, entity: Entity) -> None:
        self.link, self._connection, self._entity = link, connection, entity

    def opened(self) -> None:
        """Let the client send."""
        refill(self.link)

    def received(self, delivery: Delivery, data: bytes, batched: bool) -> None:
        """Take a message, or all messages of a batch; the client hears of it when they are stored."""
        refill(self.link)

        def effect() -> None:
            envelopes = [parse(part) for part in (batch(data) if batched else [data])]
            self._connection.server.broker.send(self._entity, envelopes)

        self._connection.strike(
            "Send", self._entity.path, effect, lambda: accept(delivery), lambda refused: reject(delivery, refused)
        )


class Outlet:
    """A link on which a client receives, with a lock per message or, where it asked for settled ones, without."""

    def __init__(self, connection: Connection, link: Link, box: Box) -> None:
        self.link, self.box, self.connection = link, box, connection
        self._deletes = link.remote_snd_settle_mode == Link.SND_SETTLED
        self._paused = False

    def opened(self) -> None:
        """Nothing to do: the client issues the credit."""

    @property
    def credit(self) -> int:
        """How many messages the client wants now."""
        return 0 if self._paused else int(self.link.credit)

    def drained(self) -> None:
        """There is no more to deliver: give back the credit of a client that asked to drain."""
        if not self._paused:
            self.link.drained()

    def deliver(self, stored: Stored) -> None:
        """Hand a message to the client, or do to it what a fault wants."""
        server = self.connection.server
        server.stats.request("Receive")
        fault = server.faults.take("", self.box.path, "Receive")
        if fault is None:
            self._hand_over(stored)
            return
        server.stats.add("faults")
        if fault.kind == "duplicate":
            server.broker.copy(stored)
            self._hand_over(stored)
            return
        if fault.when == "before":
            server.broker.give_back(stored)
        else:
            tag, data = self._acquire(stored)
        match fault.kind:
            case "reset":
                self.connection.abort()
            case "hang":
                self._paused = True
                if fault.seconds is not None:
                    self.connection.later(fault.seconds, self.connection.abort)
            case "slow":
                seconds = 1 if fault.seconds is None else fault.seconds
                if fault.when == "before":
                    self._paused = True
                    self.connection.later(seconds, self._resume)
                else:
                    self.connection.later(seconds, lambda: self._transfer(tag, data))
            case _:
                self.connection.refuse_link(self.link, Refused(CONDITIONS[fault.status], f"injected by {fault.id}"))

    def updated(self, delivery: Delivery) -> None:
        """Act on what the client says of a delivery, and confirm it unless the client has settled it already."""
        state = delivery.remote_state
        outcome, reason, description = _outcome(delivery)

        def effect() -> None:
            if not self._deletes and outcome is not None:
                self.connection.server.broker.settle(delivery.lock, outcome, reason, description)

        def confirm() -> None:
            delivery.local.failed = delivery.remote.failed
            delivery.local.undeliverable = delivery.remote.undeliverable
            delivery.update(state)
            delivery.settle()

        self.connection.strike("Settle", self.box.path, effect, confirm, lambda refused: reject(delivery, refused))

    def _hand_over(self, stored: Stored) -> None:
        self._transfer(*self._acquire(stored))

    def _acquire(self, stored: Stored) -> tuple[bytes, bytes]:
        broker = self.connection.server.broker
        tag = broker.lock(stored)
        data = broker.delivered(stored)
        if self._deletes:
            broker.settle(tag, "complete")
        return tag, data

    def _transfer(self, tag: bytes, data: bytes) -> None:
        anything: Any = tag  # proton's hints want text, which a lock token isn't
        delivery = self.link.delivery(anything)
        # Proton would give the tag back as UTF-8.
        delivery.lock = tag
        self.link.stream(data)
        self.link.advance()
        if self._deletes:
            delivery.settle()

    def _resume(self) -> None:
        self._paused = False
        self.connection.server.wake(self.box)


def _outcome(delivery: Delivery) -> tuple[Outcome | None, str, str]:
    match delivery.remote_state:
        case Delivery.ACCEPTED:
            return "complete", "", ""
        case Delivery.RELEASED:
            return "release", "", ""
        case Delivery.MODIFIED:
            return "defer" if delivery.remote.undeliverable else "abandon", "", ""
        case Delivery.REJECTED:
            condition = delivery.remote.condition
            info: Any = condition.info if condition is not None and isinstance(condition.info, dict) else {}
            description = info.get("DeadLetterErrorDescription") or (condition and condition.description)
            return "dead-letter", str(info.get("DeadLetterReason") or ""), str(description or "")
    return None, "", ""


class Desk:
    """The link on which requests come for `$cbs` or `<entity>/$management`; answers leave by a `Reply` link."""

    def __init__(self, connection: Connection, link: Link, path: str, box: Box | None) -> None:
        self.link, self._connection, self._path, self._box = link, connection, path, box

    def opened(self) -> None:
        """Let the client send."""
        refill(self.link)

    def received(self, delivery: Delivery, data: bytes, _batched: bool) -> None:
        """Carry a request out and answer it."""
        refill(self.link)
        try:
            request = Request(data)
        except Refused as refused:
            reject(delivery, refused)
            return
        answers: list[Message] = []

        def effect() -> None:
            if self._box is None:
                answers.append(put_token(request, self._connection.tokens))
            else:
                answers.append(manage(request, self._connection.server.broker, self._box, self._connection.tokens))

        def answer(message: Message) -> None:
            accept(delivery)
            self._connection.answer(self._path, message)

        self._connection.strike(
            request.operation,
            CBS if self._box is None else self._box.path,
            effect,
            lambda: answer(answers[0]),
            lambda refused: answer(request.reply(refused.status, refused.description, refused.condition)),
        )


class Reply:
    """The link on which the answers of a management node leave."""

    def __init__(self, link: Link, path: str) -> None:
        self.link, self.path = link, path

    def opened(self) -> None:
        """Nothing to do: the client issues the credit."""
