"""One client's AMQP connection: Qpid Proton's engine between a socket and the broker."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Any, cast

from proton import Collector, Condition, Endpoint, Event, Link, Message, Terminus, Transport
from proton import Connection as Engine

from local.faults import Faults, Stats
from local.service_bus.attempts import Attempts
from local.service_bus.broker import MAX_MESSAGE_SIZE
from local.service_bus.dispatch import Dispatcher
from local.service_bus.frames import MAX_FRAME_SIZE, Frames, MalformedError, reading, sasl
from local.service_bus.links import ReceivingLink, RequestLink, SendingLink, detach, refill, reject
from local.service_bus.management import CBS, Request, manage, put_token
from local.service_bus.refusal import Refused
from local.service_bus.security import MANAGEMENT, Gate, Tokens, path_of

_IDLE_TIMEOUT = 240.0
_NO_LINGER = struct.pack("ii", 1, 0)


class Connection(asyncio.Protocol):
    """What comes in is acted on at once; what goes out leaves with `flush`, after the server has committed."""

    def __init__(
        self, dispatcher: Dispatcher, gate: Gate, faults: Faults, stats: Stats, connections: set[Connection]
    ) -> None:
        self._dispatcher, self._broker, self._tokens = dispatcher, dispatcher.broker, Tokens(gate)
        self._attempts, self._connections = Attempts(faults, stats, self.abort, self._later), connections
        self._links: dict[Link, ReceivingLink | SendingLink | RequestLink] = {}
        self._answers: dict[Link, str] = {}
        self._frames, self._collector = Frames(), Collector()
        self._waiting: list[tuple[bytes, bool]] = []
        self._is_open, self._refused = False, cast(Refused | None, None)
        self._engine, self._connection = Transport(Transport.SERVER), Engine()
        self._engine.idle_timeout, self._engine.max_frame_size = _IDLE_TIMEOUT, MAX_FRAME_SIZE
        self._connection.collect(self._collector)
        self._connection.container = "orderflow-service-bus"
        self._engine.bind(self._connection)

    # The socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self._socket = cast(asyncio.Transport, transport)
        self._connections.add(self)
        self._attempts.run("Open", "", None, lambda: None, self._open, self._open)

    def data_received(self, data: bytes) -> None:
        """Act on what the client sent."""
        try:
            self._waiting += self._frames.received(data)
            self._proceed()
        except MalformedError:
            self.abort()
        self._dispatcher.touch(self.flush)

    def _open(self, refused: Refused | None = None) -> None:
        self._refused, self._is_open = refused, True
        self._proceed()

    def _proceed(self) -> None:
        frames, self._waiting = (self._waiting, []) if self._is_open else ([], self._waiting)
        for frame, batched in frames:
            if answer := sasl(frame):
                self._socket.write(answer)
                continue
            at = 0
            while at < len(frame) and (capacity := self._engine.capacity()) > 0:
                self._engine.push(frame[at : at + capacity])
                at += capacity
            self._pump(batched)

    def connection_lost(self, _error: Exception | None) -> None:
        """The client is gone. What it had locked stays locked until the locks end."""
        self._leave()
        self._engine.unbind()
        self._connection.free()
        self._collector.release()

    def flush(self) -> None:
        """Send what the engine has for the client."""
        if self not in self._connections:
            return
        while (pending := self._engine.pending()) > 0:
            self._socket.write(self._frames.sent(self._engine.peek(pending) or b""))
            self._engine.pop(pending)
        if pending < 0:
            self._socket.close()

    def beat(self, now: float) -> None:
        """Let the engine send heartbeats and notice a client that has sent none."""
        self._engine.tick(now)
        self._pump(False)
        self._dispatcher.touch(self.flush)

    def abort(self) -> None:
        """Reset the connection: the client sees a TCP RST, and nothing that wasn't flushed yet."""
        self._socket.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._socket.abort()
        self._leave()

    def _later(self, seconds: float, link: Link | None, action: Callable[[], None]) -> None:
        def run() -> None:
            if self in self._connections and not (link is not None and link.state & Endpoint.REMOTE_CLOSED):
                action()
                self._dispatcher.touch(self.flush)

        asyncio.get_running_loop().call_later(seconds, run)

    def _leave(self) -> None:
        self._connections.discard(self)
        for link in list(self._links):
            self._forget(link)

    # AMQP

    def _pump(self, batched: bool) -> None:
        while (event := self._collector.peek()) is not None:
            if event.type == Event.DELIVERY:
                self._on_delivery(event.delivery, batched)
            elif event.type in _HANDLERS:
                _HANDLERS[event.type](self, event)
            self._collector.pop()

    def _on_open(self, _event: Any) -> None:
        self._connection.open()
        if self._refused is not None:
            self._connection.condition = Condition(self._refused.condition, self._refused.description)
            self._connection.close()

    def _on_attach(self, event: Any) -> None:
        link = event.link
        terminus = link.remote_source if link.is_sender else link.remote_target
        with reading():
            path, filters = path_of(terminus.address or ""), _filters(link)

        def attach() -> None:
            if terminus.type == Terminus.COORDINATOR:
                raise Refused("amqp:not-implemented", "Transactions aren't supported by this stand-in.")
            self._attach(link, path, filters)
            link.source.copy(link.remote_source)
            link.target.copy(link.remote_target)
            link.snd_settle_mode, link.rcv_settle_mode = link.remote_snd_settle_mode, link.remote_rcv_settle_mode
            link.max_message_size = MAX_MESSAGE_SIZE

        def opened() -> None:
            link.open()
            if isinstance(ours := self._links.get(link), SendingLink):
                self._dispatcher.attached(ours, self.flush)
            elif link.is_receiver:
                refill(link)

        def refuse(refused: Refused) -> None:
            # Without ends the client knows that an error is about to follow (AMQP 1.0, part 2, section 2.6.3).
            link.source.type = link.target.type = Terminus.UNSPECIFIED
            link.open()
            detach(link, refused)

        self._attempts.run("Attach", path, link, attach, opened, refuse)

    def _attach(self, link: Link, path: str, filters: list[str]) -> None:
        if path == CBS:
            self._attach_node(link, path, lambda request: put_token(request, self._broker.directory, self._tokens))
            return
        box = self._broker.directory.box(path.removesuffix(MANAGEMENT))
        entity = box.entity
        if path.endswith(MANAGEMENT):
            self._tokens.demand(box.path, entity.path, "send", "receive")
            self._attach_node(link, path, lambda request: manage(request, self._broker, box, self._tokens))
            return
        self._tokens.demand(box.path, entity.path, "receive" if link.is_sender else "send")
        if link.is_receiver and (entity.kind == "subscription" or box.dead):
            raise Refused("amqp:not-allowed", f"Messages can't be sent to '{path}'.")
        if filters:
            raise Refused("amqp:not-implemented", f"The filter '{filters[0]}' isn't supported by this stand-in.")
        if link.is_receiver:
            self._links[link] = ReceivingLink(link, entity, self._broker, self._attempts)
        elif entity.kind == "topic" or (entity.forward_to is not None and not box.dead):
            text = f"Messages can't be received from '{path}', a topic or one that forwards."
            raise Refused("amqp:not-allowed", text)
        else:
            self._links[link] = SendingLink(link, box, self._broker, self._attempts)

    def _attach_node(self, link: Link, path: str, carry_out: Callable[[Request], Message]) -> None:
        if link.is_sender:
            self._answers[link] = path
        else:
            self._links[link] = RequestLink(link, path, self._answers, carry_out, self._attempts)

    def _on_flow(self, event: Any) -> None:
        if isinstance(link := self._links.get(event.link), SendingLink):
            self._dispatcher.flowed(link)

    def _on_delivery(self, delivery: Any, batched: bool) -> None:
        link = self._links.get(delivery.link)
        if isinstance(link, SendingLink):
            if delivery.updated:
                link.updated(delivery)
        elif link is not None and not delivery.link.state & Endpoint.LOCAL_CLOSED:
            # Only the first frame of a transfer tells its format.
            delivery.batched = batched or getattr(delivery, "batched", False)
            if delivery.aborted:
                delivery.settle()
            elif delivery.readable and not delivery.partial:
                self._on_message(link, delivery)
            elif delivery.pending > 4 * MAX_MESSAGE_SIZE:
                self.abort()

    def _on_message(self, link: ReceivingLink | RequestLink, delivery: Any) -> None:
        batched, data = delivery.batched, bytes(delivery.link.recv(delivery.pending) or b"")
        delivery.link.advance()
        refill(delivery.link)
        if len(data) > MAX_MESSAGE_SIZE:
            text = f"The received message (size: {len(data)} bytes) exceeds the limit ({MAX_MESSAGE_SIZE} bytes)."
            refused = Refused("amqp:link:message-size-exceeded", text)
            reject(delivery, refused)
            detach(delivery.link, refused)
        else:
            link.received(delivery, data, batched)

    def _on_detach(self, event: Any) -> None:
        self._forget(event.link)
        event.link.close() if event.type is Event.LINK_REMOTE_CLOSE else event.link.detach()
        event.link.free()

    def _on_end(self, event: Any) -> None:
        for link in [link for link in (*self._links, *self._answers) if link.session == event.session]:
            self._forget(link)
        event.session.close()

    def _forget(self, link: Link) -> None:
        self._answers.pop(link, None)
        if isinstance(ours := self._links.pop(link, None), SendingLink):
            self._dispatcher.detached(ours)


def _filters(link: Link) -> list[str]:
    data = link.remote_source.filter
    data.rewind()
    found = None if data.next() is None else data.get_object()
    return [str(name) for name in found] if isinstance(found, dict) else []


_HANDLERS: dict[object, Callable[[Connection, Any], None]] = {
    Event.CONNECTION_REMOTE_OPEN: Connection._on_open,
    Event.CONNECTION_REMOTE_CLOSE: lambda _, event: event.connection.close(),
    Event.SESSION_REMOTE_OPEN: lambda _, event: event.session.open(),
    Event.SESSION_REMOTE_CLOSE: Connection._on_end,
    Event.LINK_REMOTE_OPEN: Connection._on_attach,
    Event.LINK_REMOTE_CLOSE: Connection._on_detach,
    Event.LINK_REMOTE_DETACH: Connection._on_detach,
    Event.LINK_FLOW: Connection._on_flow,
}
