"""One client's AMQP connection: Qpid Proton's engine between a socket and the broker."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from proton import Collector, Condition, Delivery, Endpoint, Event, Link, Message, Terminus, Transport
from proton import Connection as Engine

from local.service_bus.attempts import Attempt
from local.service_bus.broker import MAX_MESSAGE_SIZE
from local.service_bus.frames import MAX_FRAME_SIZE, Frames, MalformedError, reading, sasl
from local.service_bus.links import Desk, Inlet, Outlet, Reply, refill, reject
from local.service_bus.management import CBS
from local.service_bus.refusal import Refused
from local.service_bus.security import MANAGEMENT, Tokens, path_of

if TYPE_CHECKING:
    from local.service_bus.server import Server

_IDLE_TIMEOUT = 240.0
_NO_LINGER = struct.pack("ii", 1, 0)


class Connection(asyncio.Protocol):
    """What comes in is acted on at once; what goes out leaves with `flush`, after the server has committed."""

    def __init__(self, server: Server) -> None:
        self.server, self.tokens = server, Tokens(server.gate)
        self._nodes: dict[Link, Inlet | Outlet | Desk | Reply] = {}
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
        self.server.connections.add(self)
        Attempt("Open", "", None, lambda: None, self._open, self._open).run(self)

    def data_received(self, data: bytes) -> None:
        """Act on what the client sent."""
        try:
            self._waiting += self._frames.received(data)
            self._proceed()
        except MalformedError:
            self.abort()
        self.server.touch(self)

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
        if self not in self.server.connections:
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
        self.server.touch(self)

    def abort(self) -> None:
        """Reset the connection: the client sees a TCP RST, and nothing that wasn't flushed yet."""
        self._socket.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._socket.abort()
        self._leave()

    def later(self, seconds: float, link: Any, action: Callable[[], None]) -> None:
        """Do something in a while, if the client, and its link, are still there."""

        def run() -> None:
            if self in self.server.connections and not (link is not None and link.state & Endpoint.REMOTE_CLOSED):
                action()
                self.server.touch(self)

        asyncio.get_running_loop().call_later(seconds, run)

    def _leave(self) -> None:
        self.server.connections.discard(self)
        for link in list(self._nodes):
            self._forget(link)

    # AMQP

    def answer(self, path: str, message: Message) -> None:
        """Send a management node's answer by the link that the client attached for it."""
        links = [node.link for node in self._nodes.values() if isinstance(node, Reply) and node.path == path]
        with reading():
            matching = [link for link in links if link.remote_target.address == message.address]
        for link in (matching or links)[:1]:
            link.send(message)

    def refuse_link(self, link: Link, refused: Refused) -> None:
        """Detach a link with an error."""
        self._forget(link)
        link.condition = Condition(refused.condition, refused.description)
        link.close()

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
            self._nodes[link] = self._node(link, path, filters)
            link.source.copy(link.remote_source)
            link.target.copy(link.remote_target)
            link.snd_settle_mode, link.rcv_settle_mode = link.remote_snd_settle_mode, link.remote_rcv_settle_mode
            link.max_message_size = MAX_MESSAGE_SIZE

        def opened() -> None:
            link.open()
            if isinstance(node := self._nodes[link], Outlet):
                self.server.attached(node)
            elif link.is_receiver:
                refill(link)

        def refuse(refused: Refused) -> None:
            # Without ends the client knows that an error is about to follow (AMQP 1.0, part 2, section 2.6.3).
            link.source.type = link.target.type = Terminus.UNSPECIFIED
            link.open()
            self.refuse_link(link, refused)

        Attempt("Attach", path, link, attach, opened, refuse).run(self)

    def _node(self, link: Link, path: str, filters: list[str]) -> Inlet | Outlet | Desk | Reply:
        if path == CBS:
            return Reply(link, path) if link.is_sender else Desk(self, link, path, None)
        box = self.server.broker.directory.box(path.removesuffix(MANAGEMENT))
        entity = box.entity
        if path.endswith(MANAGEMENT):
            self.tokens.demand(box.path, entity.path, "send", "receive")
            return Reply(link, path) if link.is_sender else Desk(self, link, path, box)
        self.tokens.demand(box.path, entity.path, "receive" if link.is_sender else "send")
        if link.is_receiver:
            if entity.kind == "subscription" or box.dead:
                raise Refused("amqp:not-allowed", f"Messages can't be sent to '{path}'.")
            return Inlet(self, link, entity)
        if filters:
            raise Refused("amqp:not-implemented", f"The filter '{filters[0]}' isn't supported by this stand-in.")
        if entity.kind == "topic" or (entity.forward_to is not None and not box.dead):
            raise Refused(
                "amqp:not-allowed", f"Messages can't be received from '{path}', a topic or one that forwards."
            )
        return Outlet(self, link, box)

    def _on_flow(self, event: Any) -> None:
        if isinstance(node := self._nodes.get(event.link), Outlet):
            self.server.flowed(node)

    def _on_delivery(self, delivery: Any, batched: bool) -> None:
        node = self._nodes.get(delivery.link)
        if isinstance(node, Outlet):
            if delivery.updated:
                node.updated(delivery)
        elif isinstance(node, Inlet | Desk):
            # Only the first frame of a transfer tells its format.
            delivery.batched = batched or getattr(delivery, "batched", False)
            if delivery.aborted:
                delivery.settle()
            elif delivery.readable and not delivery.partial:
                self._on_message(node, delivery)
            elif delivery.pending > 4 * MAX_MESSAGE_SIZE:
                self.abort()

    def _on_message(self, node: Inlet | Desk, delivery: Delivery) -> None:
        link: Any = node.link
        batched, data = delivery.batched, bytes(link.recv(delivery.pending) or b"")
        link.advance()
        refill(link)
        if len(data) > MAX_MESSAGE_SIZE:
            text = f"The received message (size: {len(data)} bytes) exceeds the limit ({MAX_MESSAGE_SIZE} bytes)."
            refused = Refused("amqp:link:message-size-exceeded", text)
            reject(delivery, refused)
            self.refuse_link(link, refused)
        else:
            node.received(delivery, data, batched)

    def _on_detach(self, event: Any) -> None:
        self._forget(event.link)
        event.link.close() if event.type is Event.LINK_REMOTE_CLOSE else event.link.detach()
        event.link.free()

    def _on_end(self, event: Any) -> None:
        for link in [link for link in self._nodes if link.session == event.session]:
            self._forget(link)
        event.session.close()

    def _forget(self, link: Link) -> None:
        if isinstance(node := self._nodes.pop(link, None), Outlet):
            self.server.detached(node)


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
