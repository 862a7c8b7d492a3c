"""One client's AMQP connection: Qpid Proton's engine between a socket and the broker."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from proton import Collector, Condition, Delivery, Event, Link, Message, Terminus, Transport
from proton import Connection as Engine

from local.service_bus.broker import MAX_MESSAGE_SIZE
from local.service_bus.codec import DecodeError
from local.service_bus.frames import MAX_FRAME_SIZE, Frames
from local.service_bus.links import Desk, Inlet, Outlet, Reply, reject
from local.service_bus.management import CBS, MANAGEMENT
from local.service_bus.refusal import CONDITIONS, Refused
from local.service_bus.security import Tokens, path_of

if TYPE_CHECKING:
    from local.service_bus.server import Server

_IDLE_TIMEOUT = 240.0
Node = Inlet | Outlet | Desk | Reply


class Connection(asyncio.Protocol):
    """What comes in is acted on at once; what goes out leaves with `flush`, after the server has committed."""

    def __init__(self, server: Server) -> None:
        self.server, self.tokens = server, Tokens(server.gate)
        self._nodes: dict[Link, Node] = {}
        self._frames, self._collector = Frames(), Collector()
        self._engine, self._connection = Transport(Transport.SERVER), Engine()
        self._engine.sasl().allowed_mechs("ANONYMOUS")
        self._engine.idle_timeout, self._engine.max_frame_size = _IDLE_TIMEOUT, MAX_FRAME_SIZE
        self._connection.collect(self._collector)
        self._connection.container = "orderflow-service-bus"
        self._engine.bind(self._connection)

    # The socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self._socket = cast(asyncio.Transport, transport)
        self.server.connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Act on what the client sent."""
        try:
            frames = self._frames.split(data)
        except ValueError:
            # Nothing that speaks AMQP sends this; there is no one to explain it to.
            self._socket.abort()
            return
        for frame, batched in frames:
            at = 0
            while at < len(frame) and (capacity := self._engine.capacity()) > 0:
                self._engine.push(frame[at : at + capacity])
                at += capacity
            self._pump(batched)
        self.server.touch(self)

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
            self._socket.write(self._engine.peek(pending) or b"")
            self._engine.pop(pending)
        if pending < 0:
            self._socket.close()

    def beat(self, now: float) -> None:
        """Let the engine send heartbeats and notice a client that has sent none."""
        self._engine.tick(now)
        self._pump(False)
        self.flush()

    def abort(self) -> None:
        """Reset the connection: the client sees a TCP RST, and nothing that wasn't flushed yet."""
        raw = self._socket.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.abort()
        self._leave()

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something in a while, if the client is still there."""

        def run() -> None:
            if self in self.server.connections:
                action()
                self.server.touch(self)

        asyncio.get_running_loop().call_later(seconds, run)

    # Faults

    def strike(
        self,
        operation: str,
        path: str,
        effect: Callable[[], None],
        reply: Callable[[], None],
        refuse: Callable[[Refused], None],
    ) -> None:
        """Carry an operation out and reply, or refuse it; unless a fault wants something else."""

        def attempt(then: Callable[[], None]) -> None:
            try:
                effect()
            except DecodeError as error:
                refuse(Refused("amqp:decode-error", str(error)))
            except Refused as refused:
                refuse(refused)
            else:
                then()

        self.server.stats.request(operation)
        fault = self.server.faults.take("", path, operation)
        if fault is None:
            attempt(reply)
            return
        self.server.stats.add("faults")
        seconds = 1 if fault.seconds is None else fault.seconds

        def injure() -> None:
            match fault.kind:
                case "reset":
                    self.abort()
                case "hang":
                    if fault.seconds is not None:
                        self.later(fault.seconds, self.abort)
                case "slow":
                    self.later(seconds, reply if fault.when == "after" else lambda: attempt(reply))
                case "status":
                    refuse(Refused(CONDITIONS[fault.status], f"injected by {fault.id}"))
                case _:
                    attempt(reply)

        attempt(injure) if fault.when == "after" else injure()

    # AMQP

    def answer(self, path: str, message: Message) -> None:
        """Send a management node's answer by the link that the client attached for it."""
        links = [node.link for node in self._nodes.values() if isinstance(node, Reply) and node.path == path]
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
            handler = _HANDLERS.get(event.type)
            if handler is not None:
                handler(self, event, batched)
            self._collector.pop()

    def _on_open(self, event: Any, _batched: bool) -> None:
        def refuse(refused: Refused) -> None:
            event.connection.open()
            event.connection.condition = Condition(refused.condition, refused.description)
            event.connection.close()

        self.strike("Open", "", lambda: None, event.connection.open, refuse)

    def _on_session(self, event: Any, _batched: bool) -> None:
        event.session.open()

    def _on_attach(self, event: Any, _batched: bool) -> None:
        link = event.link
        terminus = link.remote_source if link.is_sender else link.remote_target
        path = path_of(terminus.address or "")
        link.source.copy(link.remote_source)
        link.target.copy(link.remote_target)
        link.snd_settle_mode, link.rcv_settle_mode = link.remote_snd_settle_mode, link.remote_rcv_settle_mode
        link.max_message_size = MAX_MESSAGE_SIZE

        def attach() -> None:
            if terminus.type == Terminus.COORDINATOR:
                raise Refused("amqp:not-implemented", "Transactions aren't supported by this stand-in.")
            self._nodes[link] = self._node(link, path)

        def opened() -> None:
            link.open()
            self._nodes[link].opened()
            if isinstance(node := self._nodes[link], Outlet):
                self.server.attached(node)

        def refuse(refused: Refused) -> None:
            # Without ends the client knows that an error is about to follow (AMQP 1.0, part 2, section 2.6.3).
            link.source.type = link.target.type = Terminus.UNSPECIFIED
            link.open()
            self.refuse_link(link, refused)

        self.strike("Attach", path, attach, opened, refuse)

    def _node(self, link: Link, path: str) -> Node:
        directory = self.server.broker.directory
        if path == CBS:
            return Reply(link, path) if link.is_sender else Desk(self, link, path, None)
        if path.endswith(MANAGEMENT):
            box = directory.box(path.removesuffix(MANAGEMENT))
            self.tokens.demand(box.path, box.entity.path, "send", "receive")
            return Reply(link, path) if link.is_sender else Desk(self, link, path, box)
        if link.is_receiver:
            entity = directory.entity(path)
            self.tokens.demand(entity.path, entity.path, "send")
            if entity.kind == "subscription":
                raise Refused("amqp:not-allowed", f"Messages can't be sent to the subscription '{path}'.")
            return Inlet(self, link, entity)
        box = directory.box(path)
        self.tokens.demand(box.path, box.entity.path, "receive")
        for name in _filters(link):
            raise Refused("amqp:not-implemented", f"The filter '{name}' isn't supported by this stand-in.")
        if box.entity.kind == "topic" or (box.entity.forward_to is not None and not box.dead):
            raise Refused(
                "amqp:not-allowed", f"Messages can't be received from '{path}', a topic or one that forwards."
            )
        return Outlet(self, link, box)

    def _on_flow(self, event: Any, _batched: bool) -> None:
        node = self._nodes.get(event.link)
        if isinstance(node, Outlet):
            self.server.flowed(node)

    def _on_delivery(self, event: Any, batched: bool) -> None:
        delivery: Delivery = event.delivery
        node = self._nodes.get(delivery.link)
        if isinstance(node, Outlet):
            if delivery.updated:
                node.updated(delivery)
        elif isinstance(node, Inlet | Desk):
            if batched:
                delivery.batched = True
            if delivery.aborted:
                delivery.settle()
            elif delivery.partial and delivery.pending > 4 * MAX_MESSAGE_SIZE:
                self.abort()
            elif delivery.readable and not delivery.partial:
                data = bytes(node.link.recv(delivery.pending) or b"")
                node.link.advance()
                if len(data) > MAX_MESSAGE_SIZE:
                    text = (
                        f"The received message (size: {len(data)} bytes) exceeds the limit ({MAX_MESSAGE_SIZE} bytes)."
                    )
                    refused = Refused("amqp:link:message-size-exceeded", text)
                    reject(delivery, refused)
                    self.refuse_link(node.link, refused)
                else:
                    node.received(delivery, data, getattr(delivery, "batched", False))

    def _on_detach(self, event: Any, _batched: bool) -> None:
        self._forget(event.link)
        event.link.close() if event.type is Event.LINK_REMOTE_CLOSE else event.link.detach()
        event.link.free()

    def _on_end(self, event: Any, _batched: bool) -> None:
        for link in [link for link in self._nodes if link.session == event.session]:
            self._forget(link)
        event.session.close()

    def _on_close(self, event: Any, _batched: bool) -> None:
        event.connection.close()

    def _leave(self) -> None:
        self.server.connections.discard(self)
        for link in list(self._nodes):
            self._forget(link)

    def _forget(self, link: Link) -> None:
        node = self._nodes.pop(link, None)
        if isinstance(node, Outlet):
            self.server.detached(node)


def _filters(link: Link) -> list[str]:
    data = link.remote_source.filter
    data.rewind()
    if data.next() is None:
        return []
    found = data.get_object()
    return [str(name) for name in found] if isinstance(found, dict) else []


_HANDLERS: dict[object, Callable[[Connection, Any, bool], None]] = {
    Event.CONNECTION_REMOTE_OPEN: Connection._on_open,
    Event.CONNECTION_REMOTE_CLOSE: Connection._on_close,
    Event.SESSION_REMOTE_OPEN: Connection._on_session,
    Event.SESSION_REMOTE_CLOSE: Connection._on_end,
    Event.LINK_REMOTE_OPEN: Connection._on_attach,
    Event.LINK_REMOTE_CLOSE: Connection._on_detach,
    Event.LINK_REMOTE_DETACH: Connection._on_detach,
    Event.LINK_FLOW: Connection._on_flow,
    Event.DELIVERY: Connection._on_delivery,
}
