"""What a client attaches to: an entity to send to, one to receive from, or a management node with its way back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from proton import Condition, Delivery, Endpoint, Link, Message

from local.service_bus.attempts import Attempts
from local.service_bus.broker import Broker, Outcome
from local.service_bus.codec import batch, parse
from local.service_bus.entities import Box, Entity
from local.service_bus.frames import encoded, reading
from local.service_bus.management import Request
from local.service_bus.refusal import Refused
from local.service_bus.security import MANAGEMENT

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


def detach(link: Link, refused: Refused) -> None:
    """Detach a link with an error."""
    link.condition = Condition(refused.condition, refused.description)
    link.close()


class ReceivingLink:
    """A link on which messages come from a client for a queue or topic."""

    def __init__(self, link: Link, entity: Entity, broker: Broker, attempts: Attempts) -> None:
        self._link, self._entity, self._broker, self._attempts = link, entity, broker, attempts

    def received(self, delivery: Delivery, data: bytes, batched: bool) -> None:
        """Take a message, or all messages of a batch; the client hears of it when they are stored."""

        def effect() -> None:
            self._broker.send(self._entity, [parse(part) for part in (batch(data) if batched else [data])])

        reply, refuse = partial(accept, delivery), partial(reject, delivery)
        self._attempts.run("Send", self._entity.path, self._link, effect, reply, refuse)


class SendingLink:
    """A link on which messages go to a client, with a lock each or, where it asked for settled ones, without."""

    def __init__(self, link: Link, box: Box, broker: Broker, attempts: Attempts) -> None:
        self.link, self.box, self._broker, self._attempts = link, box, broker, attempts
        self._deletes = link.remote_snd_settle_mode == Link.SND_SETTLED
        self._held_up = 0

    @property
    def credit(self) -> int:
        """How many messages the client wants now."""
        return 0 if self.link.state & Endpoint.LOCAL_CLOSED else int(self.link.credit) - self._held_up

    def deliver(self) -> None:
        """Hand the client the next message of the box."""
        broker, taken = self._broker, list[tuple[bytes, bytes]]()
        self._held_up += 1

        def effect() -> None:
            stored = broker.take(self.box)
            if stored is not None:
                taken.append((b"", broker.consume(stored)) if self._deletes else broker.lock(stored))

        def transfer() -> None:
            self._held_up -= 1
            for lock, data in taken:
                tag: Any = lock  # Proton's hints want text, which a lock isn't; and it would give a tag back as UTF-8.
                delivery = self.link.delivery(tag)
                delivery.lock = lock
                self.link.stream(data)
                self.link.advance()
                if self._deletes:
                    delivery.settle()

        def transfer_with_copy() -> None:
            for lock, _ in [] if self._deletes else taken:
                broker.copy(broker.held(lock))
            transfer()

        refuse = partial(detach, self.link)
        self._attempts.run("Receive", self.box.path, self.link, effect, transfer, refuse, transfer_with_copy)

    def updated(self, delivery: Delivery) -> None:
        """Act on what the client says of a delivery, and confirm it unless the client has settled it already."""
        with reading():
            outcome, properties = _outcome(delivery)
        if outcome is None:
            if delivery.settled:
                delivery.settle()
            return

        def confirm() -> None:
            delivery.local.failed = delivery.remote.failed
            delivery.local.undeliverable = delivery.remote.undeliverable
            delivery.update(delivery.remote_state)
            delivery.settle()

        effect = partial(self._broker.settle, delivery.lock, outcome, properties)
        self._attempts.run("Settle", self.box.path, self.link, effect, confirm, partial(reject, delivery))


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


class RequestLink:
    """A link on which requests come for a management node, `$cbs` or `<entity>/$management`.

    `answers` are the links on which the node's answers leave; `carry_out` may raise Refused.
    """

    def __init__(
        self, link: Link, path: str, answers: dict[Link, str], carry_out: Callable[[Request], Message],
        attempts: Attempts,
    ) -> None:  # fmt: skip
        self._link, self._path, self._answers, self._carry_out, self._attempts = (
            link, path, answers, carry_out, attempts,
        )  # fmt: skip

    def received(self, delivery: Delivery, data: bytes, _batched: bool) -> None:
        """Carry a request out and answer it."""
        request, found = Request(data), list[Message]()

        def answer(message: Message) -> None:
            links = [link for link, path in self._answers.items() if path == self._path]
            with reading():
                matching = [link for link in links if link.remote_target.address == message.address]
            for link in (matching or links)[:1]:
                link.send(message)
            accept(delivery)

        def refuse(refused: Refused) -> None:
            answer(request.reply(refused.status, refused.description, refused.condition))

        def effect() -> None:
            found.append(self._carry_out(request))

        path = self._path.removesuffix(MANAGEMENT)
        self._attempts.run(request.operation, path, self._link, effect, lambda: answer(found[0]), refuse)
