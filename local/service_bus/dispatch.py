"""Turns: each takes what all clients have sent, delivers messages, commits once, and only then answers."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable

from local.service_bus.broker import Broker, now_ms
from local.service_bus.entities import Box
from local.service_bus.links import SendingLink

_LONGEST = 1.0


class Dispatcher:
    """Hands the broker's messages to the links that clients receive on."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self._links: defaultdict[Box, deque[SendingLink]] = defaultdict(deque)
        self._flowed: set[SendingLink] = set()
        self._flushes: set[Callable[[], None]] = set()
        self._flush_of: dict[SendingLink, Callable[[], None]] = {}
        self._turn_due = False
        self._timer: asyncio.TimerHandle | None = None

    def touch(self, flush: Callable[[], None]) -> None:
        """A connection may have something to send: flush it after the next turn."""
        self._flushes.add(flush)
        self.soon()

    def attached(self, link: SendingLink, flush: Callable[[], None]) -> None:
        """A client receives from now on, over a connection that is to be flushed after each delivery."""
        self._links[link.box].append(link)
        self._flush_of[link] = flush
        self.flowed(link)

    def flowed(self, link: SendingLink) -> None:
        """A client has issued credit, or wants it drained."""
        self._flowed.add(link)
        self.broker.awake.add(link.box)
        self.soon()

    def detached(self, link: SendingLink) -> None:
        """A client no longer receives."""
        self._flowed.discard(link)
        self._flush_of.pop(link, None)
        if link in self._links[link.box]:
            self._links[link.box].remove(link)

    def soon(self) -> None:
        """Take a turn once what has arrived by now has been read."""
        if not self._turn_due:
            self._turn_due = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._turn_due = False
        due = self.broker.tick()
        while self.broker.awake:
            self._deliver(self.broker.awake.pop())
        for link in self._flowed:
            link.link.drained()
        self._flowed.clear()
        self.broker.store.commit()
        flushes, self._flushes = self._flushes, set()
        for flush in flushes:
            flush()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due is not None:
            seconds = min(max(0, due - now_ms()) / 1000, _LONGEST)
            self._timer = asyncio.get_running_loop().call_later(seconds, self.soon)

    def _deliver(self, box: Box) -> None:
        links = self._links[box]
        while box.ready:
            link = next((link for link in links if link.credit > 0), None)
            if link is None:
                return
            # In turn, so that no receiver starves.
            links.remove(link)
            links.append(link)
            link.deliver()
            if link in self._flush_of:  # a fault may have taken it, and its connection
                self._flushes.add(self._flush_of[link])
