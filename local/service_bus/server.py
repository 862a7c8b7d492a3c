"""The AMQP server: each turn of the event loop takes what all clients sent, delivers, commits once, then answers."""

from __future__ import annotations

import asyncio
from collections import deque

from local.faults import Faults, Stats
from local.service_bus.broker import Broker, now_ms
from local.service_bus.connection import Connection
from local.service_bus.entities import Box
from local.service_bus.links import Outlet
from local.service_bus.security import Gate

_BEAT = 1.0


class Server:
    """All connections on one port of 127.0.0.1."""

    def __init__(self, broker: Broker, gate: Gate, faults: Faults, stats: Stats, port: int) -> None:
        self.broker, self.gate, self.faults, self.stats = broker, gate, faults, stats
        self.connections: set[Connection] = set()
        self._port = port
        self._outlets: dict[Box, deque[Outlet]] = {}
        self._touched: set[Connection] = set()
        self._flowed: set[Outlet] = set()
        self._turn_due = False
        self._timer: asyncio.TimerHandle | None = None
        self._listener: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen, and begin to keep time."""
        self._loop = asyncio.get_running_loop()
        await self._listen()
        self._turn()
        self._beat()

    async def outage(self, seconds: float) -> None:
        """Reset all connections and refuse new ones for a while; returns when it is over."""
        if self._listener is None:
            return
        self._listener.close()
        self._listener = None
        for connection in list(self.connections):
            connection.abort()
        await asyncio.sleep(seconds)
        await self._listen()

    # What connections report

    def touch(self, connection: Connection) -> None:
        """The connection may have something to send: take a turn soon."""
        self._touched.add(connection)
        self.soon()

    def attached(self, outlet: Outlet) -> None:
        """A client receives from now on."""
        self._outlets.setdefault(outlet.box, deque()).append(outlet)
        self.flowed(outlet)

    def flowed(self, outlet: Outlet) -> None:
        """A client has issued credit, or wants it drained."""
        self._flowed.add(outlet)
        self.broker.awake.add(outlet.box)
        self.soon()

    def detached(self, outlet: Outlet) -> None:
        """A client no longer receives."""
        self._flowed.discard(outlet)
        outlets = self._outlets.get(outlet.box, deque())
        if outlet in outlets:
            outlets.remove(outlet)

    def soon(self) -> None:
        """Take a turn once what has arrived by now has been read."""
        if not self._turn_due:
            self._turn_due = True
            self._loop.call_soon(self._turn)

    # A turn

    def _turn(self) -> None:
        self._turn_due = False
        due = self.broker.tick()
        while self.broker.awake:
            self._deliver(self.broker.awake.pop())
        for outlet in self._flowed:
            outlet.link.drained()
        self._flowed.clear()
        self.broker.store.commit()
        touched, self._touched = self._touched, set()
        for connection in touched:
            connection.flush()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due is not None:
            self._timer = self._loop.call_later(min(max(0, due - now_ms()) / 1000, _BEAT), self.soon)

    def _deliver(self, box: Box) -> None:
        outlets = self._outlets.get(box, deque())
        while box.ready:
            outlet = next((outlet for outlet in outlets if outlet.credit > 0), None)
            if outlet is None:
                return
            # In turn, so that no receiver starves.
            outlets.remove(outlet)
            outlets.append(outlet)
            outlet.deliver()
            self._touched.add(outlet.connection)

    def _beat(self) -> None:
        self.broker.store.forget_seen(now_ms())
        for connection in list(self.connections):
            connection.beat(self._loop.time())
        self.soon()
        self._loop.call_later(_BEAT, self._beat)

    async def _listen(self) -> None:
        self._listener = await self._loop.create_server(
            lambda: Connection(self), "127.0.0.1", self._port, reuse_address=True, backlog=512
        )
