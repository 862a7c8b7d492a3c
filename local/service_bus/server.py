"""The AMQP server: all connections on one port of 127.0.0.1."""

import asyncio
from functools import partial

from local.faults import Faults, Stats
from local.service_bus.broker import Broker, now_ms
from local.service_bus.connection import Connection
from local.service_bus.dispatch import Dispatcher
from local.service_bus.security import Gate

_BEAT = 1.0


class Server:
    """Listens, and keeps time."""

    def __init__(self, broker: Broker, gate: Gate, faults: Faults, stats: Stats, port: int) -> None:
        self.dispatcher, self.connections = Dispatcher(broker), set[Connection]()
        self._new, self._port = partial(Connection, self.dispatcher, gate, faults, stats, self.connections), port
        self._listener: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen from now on."""
        await self._listen()
        self._beat()
        self.dispatcher.soon()

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

    def _beat(self) -> None:
        self.dispatcher.broker.store.forget_seen(now_ms())
        for connection in list(self.connections):
            connection.beat(asyncio.get_running_loop().time())
        asyncio.get_running_loop().call_later(_BEAT, self._beat)

    async def _listen(self) -> None:
        self._listener = await asyncio.get_running_loop().create_server(self._new, "127.0.0.1", self._port)
