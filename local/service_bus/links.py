"""What a client attaches to: an entity to send to, one to receive from, or a management node with its way back."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from proton import Condition, Delivery, Link, Message

from local.service_bus.attempts import Attempt
from local.service_bus.broker import Outcome
from local.service_bus.codec import batch, parse
from local.service_bus.entities import Box, Entity
from local.service_bus.frames import encoded, reading
from local.service_bus.management import CBS, Request, manage, put_token
from local.service_bus.refusal import Refused

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

    def received(self, delivery: Delivery, data: bytes, batched: bool) -> None:
        """Take a message, or all messages of a batch; the client hears of it when they are stored."""

        def effect() -> None:
            envelopes = [parse(part) for part in (batch(data) if batched else [data])]
            self._connection.server.broker.send(self._entity, envelopes)

        reply, refuse = partial(accept, delivery), partial(reject, delivery)
        Attempt("Send", self._entity.path, self.link, effect, reply, refuse).run(self._connection)


class Outlet:
    """A link on which a client receives, with a lock per message or, where it asked for settled ones, without."""

    def __init__(self, connection: Connection, link: Link, box: Box) -> None:
        self.link, self.box, self.connection = link, box, connection
        self._deletes = link.remote_snd_settle_mode == Link.SND_SETTLED
        self._held_up = 0

    @property
    def credit(self) -> int:
        """How many messages the client wants now."""
        return int(self.link.credit) - self._held_up

    def deliver(self) -> None:
        """Hand the client the next message of the box."""
        broker = self.connection.server.broker
        locked: list[tuple[bytes, bytes]] = []
        self._held_up += 1

        def effect() -> None:
            stored = broker.take(self.box)
            if stored is not None:
                locked.append(broker.lock(stored))
                if self._deletes:
                    broker.settle(locked[0][0], "complete")

        def transfer() -> None:
            self._held_up -= 1
            for lock, data in locked:
                tag: Any = lock  # Proton's hints want text, which a lock isn't; and it would give a tag back as UTF-8.
                delivery = self.link.delivery(tag)
                delivery.lock = lock
                self.link.stream(data)
                self.link.advance()
                if self._deletes:
                    delivery.settle()

        def transfer_with_copy() -> None:
            for lock, _ in locked:
                broker.copy(broker.held(lock))
            transfer()

        refuse, twice = partial(self.connection.refuse_link, self.link), None if self._deletes else transfer_with_copy
        Attempt("Receive", self.box.path, self.link, effect, transfer, refuse, twice).run(self.connection)

    def updated(self, delivery: Delivery) -> None:
        """Act on what the client says of a delivery, and confirm it unless the client has settled it already."""
        with reading():
            outcome, properties = _outcome(delivery)
        if outcome is None:
            if delivery.settled:
                delivery.settle()
            return

        def effect() -> None:
            self.connection.server.broker.settle(delivery.lock, outcome, properties)

        def confirm() -> None:
            delivery.local.failed = delivery.remote.failed
            delivery.local.undeliverable = delivery.remote.undeliverable
            delivery.update(delivery.remote_state)
            delivery.settle()

        refuse = partial(reject, delivery)
        Attempt("Settle", self.box.path, self.link, effect, confirm, refuse).run(self.connection)


def _outcome(delivery: Delivery) -> tuple[Outcome | None, dict[str, bytes]]:
    remote: Any = delivery.remote
    match delivery.remote_state:
        case Delivery.ACCEPTED:
            return "complete", {}
        case Delivery.RELEASED:
            return "release", {}
        case Delivery.MODIFIED:
            return "defer" if remote.undeliverable else "abandon", encoded(remote.annotations or {})
        case Delivery.REJECTED:
            return "dead-letter", encoded((remote.condition and remote.condition.info) or {})
    return None, {}


class Desk:
    """The link on which requests come for `$cbs` or `<entity>/$management`; answers leave by a `Reply` link."""

    def __init__(self, connection: Connection, link: Link, path: str, box: Box | None) -> None:
        self.link, self._connection, self._path, self._box = link, connection, path, box

    def received(self, delivery: Delivery, data: bytes, _batched: bool) -> None:
        """Carry a request out and answer it."""
        connection, box, request = self._connection, self._box, Request(data)
        answers: list[Message] = []

        def effect() -> None:
            broker, tokens = connection.server.broker, connection.tokens
            answers.append(
                manage(request, broker, box, tokens) if box else put_token(request, broker.directory, tokens)
            )

        def answer(message: Message) -> None:
            connection.answer(self._path, message)
            accept(delivery)

        def refuse(refused: Refused) -> None:
            answer(request.reply(refused.status, refused.description, refused.condition))

        path = box.path if box else CBS
        Attempt(request.operation, path, self.link, effect, lambda: answer(answers[0]), refuse).run(connection)


class Reply:
    """The link on which the answers of a management node leave."""

    def __init__(self, link: Link, path: str) -> None:
        self.link, self.path = link, path
