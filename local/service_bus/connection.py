"""One client's AMQP connection: Qpid Proton's engine between a socket and the broker."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any, cast

from proton import Collector, Condition, Endpoint, Event, Link, Message, Terminus, Transport
from proton import Connection as Engine

from local.faults import Faults, Stats, reset
from local.service_bus.attempts import Attempts
from local.service_bus.broker import MAX_MESSAGE_SIZE
from local.service_bus.dispatch import Dispatcher
from local.service_bus.frames import MAX_FRAME_SIZE, Frames, MalformedError, reading, sasl
from local.service_bus.links import ReceivingLink, RequestLink, SendingLink, detach, refill, reject
from local.service_bus.management import CBS, Request, manage, put_token
from local.service_bus.refusal import Refused
from local.service_bus.security import MANAGEMENT, Gate, Tokens, path_of

_IDLE_TIMEOUT = 240.0

# Of a link on which a management node's answers leave, the node's path.
type _Attached = ReceivingLink | SendingLink | RequestLink | str


class Connection(asyncio.Protocol):
    """What comes in is acted on at once; what goes out leaves with `flush`, after the server has committed."""

    def __init__(
        self, dispatcher: Dispatcher, gate: Gate, faults: Faults, stats: Stats, connections: set[Connection]
    ) -> None:
        self._dispatcher, self._broker, self._tokens = dispatcher, dispatcher.broker, Tokens(gate)
        self._attempts, self._connections = Attempts(faults, stats, self.abort, self._later), connections
        self._links: dict[Link, _Attached] = {}
        self._frames, self._collector = Frames(), Collector()
        self._is_open, self._early = False, b""
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

    def _open(self, refused: Refused | None) -> None:
        self._is_open, self._refused = True, refused
        self.data_received(self._early)

    def data_received(self, data: bytes) -> None:
        """Act on what the client sent."""
        if not self._is_open:
            self._early += data
            return
        try:
            for frame, batched in self._frames.received(data):
                if answer := sasl(frame):
                    self._socket.write(answer)
                    continue
                at = 0
                while at < len(frame) and (capacity := self._engine.capacity()) > 0:
                    self._engine.push(frame[at : at + capacity])
                    at += capacity
                self._batched = batched
                self._pump()
        except MalformedError:
            self.abort()
        self._dispatcher.touch(self.flush)

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
        self._pump()
        self._dispatcher.touch(self.flush)

    def abort(self) -> None:
        """Reset the connection: the client sees a TCP RST, and nothing that wasn't flushed yet."""
        reset(self._socket)
        self._leave()

    def detach(self, path: str) -> None:
        """Detach, with an error, the links to entities in whose path the pattern is found."""
        for link, ours in self._links.items():
            if isinstance(ours, ReceivingLink | SendingLink) and re.search(path, ours.entity.path):
                detach(link, Refused("amqp:link:detach-forced", "The link is force detached by the broker."))
        self._dispatcher.touch(self.flush)

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

    # AMQP: Proton calls `on_…` by the names of its events.

    def _pump(self) -> None:
        while (event := self._collector.peek()) is not None:
            if handle := getattr(self, event.type.method, None):
                handle(event)
            self._collector.pop()

    def on_connection_remote_open(self, _event: Any) -> None:
        """Let the client in, unless a fault has refused it."""
        self._connection.open()
        if self._refused is not None:
            self._connection.condition = Condition(self._refused.condition, self._refused.description)
            self._connection.close()

    def on_connection_remote_close(self, event: Any) -> None:
        """Close it here too."""
        event.connection.close()

    def on_session_remote_open(self, event: Any) -> None:
        """Open it here too."""
        event.session.open()

    def on_session_remote_close(self, event: Any) -> None:
        """Forget its links, and close it here too."""
        for link in [link for link in self._links if link.session == event.session]:
            self._forget(link)
        event.session.close()

    def on_link_remote_open(self, event: Any) -> None:
        """Attach the link to what it names, or refuse it."""
        link = event.link
        terminus = link.remote_source if link.is_sender else link.remote_target
        with reading():
            path, filters = path_of(terminus.address or ""), _filters(link)

        def attach() -> None:
            if terminus.type == Terminus.COORDINATOR:
                raise Refused("amqp:not-implemented", "Transactions aren't supported by this stand-in.")
            self._links[link] = self._attached(link, path, filters)
            link.source.copy(link.remote_source)
            link.target.copy(link.remote_target)
            link.snd_settle_mode, link.rcv_settle_mode = link.remote_snd_settle_mode, link.remote_rcv_settle_mode
            link.max_message_size = MAX_MESSAGE_SIZE

        def opened(_: None) -> None:
            link.open()
            if isinstance(ours := self._links.get(link), SendingLink):
                self._dispatcher.flowed(ours)
            elif link.is_receiver:
                refill(link)

        def refuse(refused: Refused) -> None:
            # Without ends the client knows that an error is about to follow (AMQP 1.0, part 2, section 2.6.3).
            link.source.type = link.target.type = Terminus.UNSPECIFIED
            link.open()
            detach(link, refused)

        self._attempts.run("Attach", path, link, attach, opened, refuse)

    def _attached(self, link: Link, path: str, filters: list[str]) -> _Attached:
        if path == CBS:
            return self._node(link, path, lambda request: put_token(request, self._broker.directory, self._tokens))
        entity = self._broker.directory.entity(path.removesuffix(MANAGEMENT))
        if path.endswith(MANAGEMENT):
            self._tokens.demand(entity, "send", "receive")
            return self._node(link, path, lambda request: manage(request, self._broker, entity, self._tokens))
        self._tokens.demand(entity, "receive" if link.is_sender else "send")
        if filters:
            raise Refused("amqp:not-implemented", f"The filter '{filters[0]}' isn't supported by this stand-in.")
        if link.is_receiver:
            if entity.kind not in ("queue", "topic"):
                raise Refused("amqp:not-allowed", f"Messages can't be sent to '{path}'.")
            return ReceivingLink(link, entity, self._broker, self._attempts)
        if entity.kind == "topic" or entity.forward_to is not None:
            raise Refused("amqp:not-allowed", f"Messages can't be received from '{path}': a topic, or it forwards.")
        return SendingLink(link, entity, self._broker, self._attempts, self.flush)

    def _node(self, link: Link, path: str, carry_out: Callable[[Request], Message]) -> RequestLink | str:
        return path if link.is_sender else RequestLink(path, link, self._links, carry_out, self._attempts)

    def on_link_flow(self, event: Any) -> None:
        """The client wants messages, or no more."""
        if isinstance(link := self._links.get(event.link), SendingLink):
            self._dispatcher.flowed(link)

    def on_link_remote_close(self, event: Any) -> None:
        """Forget the link, and close it here too."""
        self._forget(event.link)
        event.link.close() if event.type is Event.LINK_REMOTE_CLOSE else event.link.detach()
        event.link.free()

    on_link_remote_detach = on_link_remote_close

    def on_delivery(self, event: Any) -> None:
        """Take what has come over a link, or what the client says of what has left over one."""
        delivery = event.delivery
        link = delivery.link
        ours = self._links.get(link)
        if isinstance(ours, SendingLink):
            if delivery.updated:
                ours.updated(delivery)
        elif isinstance(ours, ReceivingLink | RequestLink) and not link.state & Endpoint.LOCAL_CLOSED:
            # Only the first frame of a transfer tells its format.
            delivery.batched = self._batched or getattr(delivery, "batched", False)
            if delivery.aborted:
                delivery.settle()
            elif delivery.readable and not delivery.partial:
                self._on_message(ours, link, delivery)
            elif delivery.pending > 4 * MAX_MESSAGE_SIZE:
                self.abort()

    def _on_message(self, ours: ReceivingLink | RequestLink, link: Any, delivery: Any) -> None:
        batched, data = delivery.batched, bytes(link.recv(delivery.pending) or b"")
        link.advance()
        refill(link)
        if len(data) > MAX_MESSAGE_SIZE:
            refused = Refused("amqp:link:message-size-exceeded", f"{len(data)} bytes; the limit is {MAX_MESSAGE_SIZE}.")
            reject(delivery, refused)
            detach(link, refused)
        else:
            ours.received(delivery, data, batched)

    def _forget(self, link: Link) -> None:
        if isinstance(ours := self._links.pop(link, None), SendingLink):
            self._dispatcher.detached(ours)


def _filters(link: Link) -> list[str]:
    data = link.remote_source.filter
    data.rewind()
    found = None if data.next() is None else data.get_object()
    return [str(name) for name in found] if isinstance(found, dict) else []
