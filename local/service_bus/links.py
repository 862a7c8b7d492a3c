"""What a client attaches to: an entity to send to, one to receive from, or a management node with its way back."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from proton import Condition, Delivery, Endpoint, Link, Message

from local.service_bus.attempts import Action, Attempts
from local.service_bus.broker import Broker, Outcome
from local.service_bus.codec import batch, parse
from local.service_bus.entities import Entity
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
        self._link, self.entity, self._broker, self._attempts = link, entity, broker, attempts

    def received(self, delivery: Delivery, data: bytes, batched: bool) -> None:
        """Take a message, or all messages of a batch; the client hears of it when they are stored."""

        def effect() -> None:
            self._broker.send(self.entity, [parse(part) for part in (batch(data) if batched else [data])])

        refuse = partial(reject, delivery)
        self._attempts.run("Send", self.entity.path, self._link, effect, lambda _: accept(delivery), refuse)


class SendingLink:
    """A link on which messages go to a client, with a lock each or, where it asked for settled ones, without.

    `flush` sends what has been delivered.
    """

    def __init__(self, link: Link, entity: Entity, broker: Broker, attempts: Attempts, flush: Action) -> None:
        self.link, self.entity, self.flush, self._broker, self._attempts = link, entity, flush, broker, attempts
        self._deletes = link.remote_snd_settle_mode == Link.SND_SETTLED
        self._held_up = 0

    @property
    def credit(self) -> int:
        """How many messages the client wants now."""
        return 0 if self.link.state & Endpoint.LOCAL_CLOSED else int(self.link.credit) - self._held_up

    def deliver(self) -> None:
        """Hand the client the next message of the entity."""
        self._held_up += 1
        refuse = partial(detach, self.link)
        self._attempts.run("Receive", self.entity.path, self.link, self._take, self._transfer, refuse)

    def _take(self) -> list[tuple[bytes, bytes]]:
        """The lock (none where the message is deleted at once) and the message, if there is one."""
        stored = self._broker.take(self.entity)
        if stored is None:
            return []
        return [(b"", self._broker.consume(stored)) if self._deletes else self._broker.lock(stored)]

    def _transfer(self, taken: list[tuple[bytes, bytes]]) -> None:
        self._held_up -= 1
        for lock, data in taken:
            tag: Any = lock  # Proton's hints want text, which a lock isn't; and it would give a tag back as UTF-8.
            delivery = self.link.delivery(tag)
            delivery.lock = lock
            self.link.stream(data)
            self.link.advance()
            if self._deletes:
                delivery.settle()

    def updated(self, delivery: Delivery) -> None:
        """Act on what the client says of a delivery, and confirm it unless the client has settled it already."""
        with reading():
            outcome, properties = _outcome(delivery)
        if outcome is None:
            if delivery.settled:
                delivery.settle()
            return

        def confirm(_: None) -> None:
            delivery.local.failed = delivery.remote.failed
            delivery.local.undeliverable = delivery.remote.undeliverable
            delivery.update(delivery.remote_state)
            delivery.settle()

        effect = partial(self._broker.settle, delivery.lock, outcome, properties)
        refuse, lost = partial(reject, delivery), partial(confirm, None)
        self._attempts.run("Settle", self.entity.path, self.link, effect, confirm, refuse, lost)


def _outcome(delivery: Delivery) -> tuple[Outcome | None, dict[str, bytes]]:
    remote: Any = delivery.remote
    match delivery.remote_state:
        case Delivery.ACCEPTED:
            return "completed", {}
        case Delivery.RELEASED:
            return "released", {}
        case Delivery.MODIFIED:
            return "deferred" if remote.undeliverable else "abandoned", encoded(remote.annotations or {})
        case Delivery.REJECTED:
            return "deadLettered", encoded((remote.condition and remote.condition.info) or {})
    return None, {}


class RequestLink:
    """A link on which requests come for a management node, `$cbs` or `<entity>/$management`.

    Of the connection's `links`, the node's answers leave on those with its path; `carry_out` may raise Refused.
    """

    def __init__(
        self, path: str, link: Link, links: Mapping[Link, object], carry_out: Callable[[Request], Message],
        attempts: Attempts,
    ) -> None:  # fmt: skip
        self._path, self._link, self._links, self._carry_out = path, link, links, carry_out
        self._attempts = attempts

    def received(self, delivery: Delivery, data: bytes, _batched: bool) -> None:
        """Carry a request out and answer it."""
        request = Request(data)

        def answer(message: Message) -> None:
            links = [link for link, path in self._links.items() if path == self._path]
            with reading():
                matching = [link for link in links if link.remote_target.address == message.address]
            for link in (matching or links)[:1]:
                link.send(message)
            accept(delivery)

        def refuse(refused: Refused) -> None:
            answer(request.reply(refused.status, refused.description, refused.condition))

        path, effect = self._path.removesuffix(MANAGEMENT), partial(self._carry_out, request)
        self._attempts.run(request.operation, path, self._link, effect, answer, refuse)
